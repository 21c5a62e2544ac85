"""The policy in force: the file that the settings name, else the one applied last, else the built-in one."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from schemas import policy
from schemas.applied_policy import AppliedPolicy
from schemas.policy_metric import PolicyError
from schemas.settings import Settings
from schemas.times import utc_time
from streams.decisions.applied_policies import PolicyWatch, newest, policy_of
from streams.decisions.stored_overrides import OverrideWatch
from streams.io.store import Store

log = logging.getLogger("repmon.stages")

#: How often the HTTP interface looks whether another policy is in force.
POLICY_S = 5.0


def load_policy(settings: Settings) -> policy.Policy:
    """The policy of the file that the settings name, or the built-in one: what is in force where none was applied.

    Raises:
        PolicyError: naming file, rule and field.
    """
    return policy.load_policy(Path(settings.policy.file) if settings.policy.file else None)


class InForce(NamedTuple):
    """The policy in force, and where it is from. `applied` is None where it was not applied."""

    policy: policy.Policy
    applied: AppliedPolicy | None
    source: str


def policy_in_force(settings: Settings, store: Store) -> InForce:
    """What is judged by: the file that the settings name; else the policy applied last; else the built-in one.

    Raises:
        PolicyError: it cannot be understood.
        StoreError: the store failed.
    """
    if settings.policy.file:
        return InForce(load_policy(settings), None, f"the file {settings.policy.file}, named by policy.file")
    if (applied := newest(store)) is None:
        return InForce(load_policy(settings), None, "built in")
    when = utc_time(applied.applied_ms)
    return InForce(policy_of(applied), applied, f"applied {when:%Y-%m-%dT%H:%M:%SZ} by {applied.applied_by}")


def with_decisions(settings: Settings, store: Store, in_force: InForce, clock: Callable[[], int]) -> OverrideWatch:
    """Tells when what is judged by changes: the policy, what operators decided, or who has a plan. `clock` is epoch ms.
    A file that the settings name stays in force whatever is applied."""
    applied = None if settings.policy.file else PolicyWatch(store, in_force.applied).newer
    return OverrideWatch(store, in_force.policy, applied, clock)


class PolicyInForce:
    """The policy in force, looked up at most every few seconds; any thread may ask."""

    def __init__(self, settings: Settings, known: policy.Policy) -> None:
        self._settings = settings
        # A monitor's has operators' decisions in it.
        self._known = load_policy(settings) if settings.policy.file else known
        self._asked_s = float("-inf")
        self._lock = threading.Lock()

    def __call__(self, store: Store) -> policy.Policy:
        """The policy, without what operators decided. One that cannot be understood is logged, and the one before
        stays.

        Raises:
            StoreError: the store failed.
        """
        with self._lock:
            now_s = time.monotonic()
            if self._settings.policy.file or now_s < self._asked_s + POLICY_S:
                return self._known
            try:
                self._known = policy_in_force(self._settings, store).policy
            except PolicyError as error:
                log.warning("the policy stays as it was: %s", error)
            self._asked_s = now_s
            return self._known
