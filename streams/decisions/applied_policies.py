"""Policies that were applied, as the store has them; the one applied last is in force.

The store is the truth, and not the topic `reputation.policy`: it is asked every few seconds, so nothing can be missed,
and who starts later finds the same.
"""

import logging
from collections.abc import Sequence
from typing import Any

from schemas.applied_policy import AppliedPolicy
from schemas.policy import Policy, parse
from schemas.policy_metric import PolicyError
from streams.io.store import Store

log = logging.getLogger("repmon.policies")

COLUMNS = "version, toUnixTimestamp64Micro(policies.applied) AS applied_us, applied_by, why"
NEWEST = f"SELECT {COLUMNS}, text FROM policies ORDER BY policies.applied DESC LIMIT 1"  # noqa: S608 - only our own text
HISTORY = f"SELECT {COLUMNS}, '' FROM policies ORDER BY policies.applied DESC LIMIT {{limit:UInt32}}"  # noqa: S608
NAMED = f"""
SELECT {COLUMNS}, text FROM policies
WHERE startsWith(version, {{version:String}}) OR position(version, concat('@', {{version:String}})) > 0
ORDER BY policies.applied DESC
"""  # noqa: S608
NEWEST_TIME = "SELECT toUnixTimestamp64Micro(max(applied)) FROM policies"


def newest(store: Store) -> AppliedPolicy | None:
    """The policy applied last; None before the first.

    Raises:
        StoreError: the store failed.
    """
    return next(map(_applied, store.rows(NEWEST)), None)


def history(store: Store, limit: int) -> list[AppliedPolicy]:
    """The last `limit` applications, newest first, without their text.

    Raises:
        StoreError: the store failed.
    """
    return [_applied(row) for row in store.rows(HISTORY, {"limit": limit})]


def named(store: Store, version: str) -> AppliedPolicy:
    """The applied policy that a version means: as `history` shows it, its start, or the start of its hash.

    Raises:
        PolicyError: it means none, or several.
        StoreError: the store failed.
    """
    found = [_applied(row) for row in store.rows(NAMED, {"version": version})] if version else []
    versions = {each.version for each in found}
    if not found:
        raise PolicyError(f"no policy with version {version!r} was applied; `repmon policy history` shows which were")
    if len(versions) > 1 and version not in versions:
        raise PolicyError(f"version {version!r} matches several: {', '.join(sorted(versions))}")
    return next(each for each in found if len(versions) == 1 or each.version == version)


def policy_of(applied: AppliedPolicy) -> Policy:
    """What an applied policy says.

    Raises:
        PolicyError: this version of repmon does not understand it.
    """
    return parse(applied.text, f"applied policy {applied.version}")


class PolicyWatch:
    """Tells when another policy is in force than before. One thread at a time."""

    def __init__(self, store: Store, known: AppliedPolicy | None) -> None:
        self._store = store
        self._known_us = -1
        self._text = known.text if known else None

    def newer(self) -> Policy | None:
        """The policy in force, once, if it differs from that of the last look.

        One that cannot be understood is logged, and the policy before stays.

        Raises:
            StoreError: the store failed; ask again.
        """
        ((applied_us,),) = self._store.rows(NEWEST_TIME)
        if int(applied_us) == self._known_us:
            return None
        found = newest(self._store)
        self._known_us = int(applied_us)
        if found is None or found.text == self._text:
            return None
        self._text = found.text
        try:
            policy = policy_of(found)
        except PolicyError as error:
            log.warning("the policy stays as it was: %s", error)
            return None
        log.info("policy %s, applied by %s: %s", policy.version, found.applied_by, found.why)
        return policy


def _applied(row: Sequence[Any]) -> AppliedPolicy:
    version, applied_us, applied_by, why, text = row
    return AppliedPolicy(
        version=str(version),
        applied_ms=int(applied_us) // 1000,
        applied_by=str(applied_by),
        why=str(why),
        text=str(text),
    )
