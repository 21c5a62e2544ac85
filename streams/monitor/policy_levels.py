"""The thresholds in force are written down, so that graphs show those that customers are judged by, and those of then.

Only a monitor knows them: a policy is from a file of its settings, from the store or built in.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from schemas.policy import Policy
from schemas.times import utc_time
from streams.io.store import Store, StoreError

log = logging.getLogger("repmon.monitor")

LAST = """
SELECT rule, metric, windows, providers, level, threshold FROM policy_levels
WHERE since = (SELECT max(since) FROM policy_levels)
"""


class LevelRow(NamedTuple):
    """One level of one rule. `providers` is empty where mail to all of them is judged."""

    rule: str
    metric: str
    windows: tuple[str, ...]
    providers: tuple[str, ...]
    level: str
    threshold: float


def levels_of(policy: Policy) -> list[LevelRow]:
    """Every level of a policy."""
    return [
        LevelRow(rule.name, rule.metric, rule.windows, rule.mail_to, level, threshold)
        for rule in policy.rules
        for level, threshold in rule.levels.given()
    ]


def store_levels(store: Store, policy: Policy, now_ms: int) -> bool:
    """Write the policy's levels down as those since `now_ms` (epoch ms), unless they are those written last; whether
    they were written.

    Raises:
        StoreError: the store failed.
    """
    wanted = levels_of(policy)
    rows = store.rows(LAST)
    known = {LevelRow(str(r), str(m), tuple(w), tuple(p), str(le), float(t)) for r, m, w, p, le, t in rows}
    if known == set(wanted):
        return False
    store.insert(
        "policy_levels",
        {
            "since": [utc_time(now_ms)] * len(wanted),
            **{name: [getattr(each, name) for each in wanted] for name in LevelRow._fields},
            "version": [policy.version] * len(wanted),
        },
    )
    return True


class LevelsWritten:
    """Around what tells that another policy is in force: its levels are written down too. One thread at a time."""

    def __init__(
        self, store: Store, first: Policy, newer: Callable[[], Policy | None], clock: Callable[[], int]
    ) -> None:
        """`first` is in force now, `newer` gives the one after; `clock` is epoch ms."""
        self._store = store
        self._newer = newer
        self._clock = clock
        self._unwritten: Policy | None = first

    def newer(self) -> Policy | None:
        """As what it is around. That a level could not be written keeps nobody from judging: it is tried again.

        Raises:
            StoreError: the store did not say what is in force.
        """
        found = self._newer()
        self._unwritten = found or self._unwritten
        if self._unwritten is not None:
            try:
                store_levels(self._store, self._unwritten, self._clock())
                self._unwritten = None
            except StoreError as error:
                log.warning("the thresholds in force could not be written down: %s", error)
        return found
