"""Judging the small customers of each pool, From domain or plan together."""

from collections.abc import Mapping, Sequence

from schemas.alert import Evidence
from schemas.policy import Policy
from schemas.scope import SHARED
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import BatchContext, SubjectOutcome, empty, subject_outcome
from streams.alerts.record import Lives
from streams.io.store import Store
from streams.monitor.unjudged import shared_with_unjudged
from streams.windows.pools import NOBODY, Pooled, Pools, judge_pool, pool_evidence

#: What pools have over more than a day is so old at most: to read it, a month of all customers is summed up.
LONG_POOLS_MS = 600_000


class PoolJudge:
    """Judges them by a policy; `windows` are the lengths (ms) of those that it uses, by name."""

    def __init__(
        self, store: Store, policy: Policy, feedback_loop_providers: Sequence[str], windows: Mapping[str, int]
    ) -> None:
        self._store = store
        self._policy = policy
        self._fbl = feedback_loop_providers
        self._windows = windows
        self._pools = [
            Pools(store, policy, feedback_loop_providers, LONG_POOLS_MS, kind)
            for kind in SHARED
            if kind in policy.scopes
        ]

    def decided(self, lives: Lives, now_ms: int, *, everything: bool) -> list[SubjectOutcome]:
        """What judging makes of them, and of what is open and is judged no more; nothing is stored. With `everything`
        it is known that no mail is left out.

        Raises:
            StoreError: the store failed.
        """
        found = [pool for pools in self._pools for pool in pools.read(now_ms, everything=everything)]
        silent = {state.scope for state in lives.states.values() if state.is_open} - {each.scope for each in found}
        found += [Pooled(scope, {}) for scope in sorted(silent)]
        context = BatchContext({}, lives.acknowledgements, frozenset())
        return [
            subject_outcome(
                empty(NOBODY, pool.scope),
                judge_pool(pool, self._policy, now_ms),
                lives.states,
                context,
                self._policy,
                self._windows,
                pool.by_rule,
            )
            for pool in found
        ]

    def evidence(
        self, outcomes: Sequence[SubjectOutcome], now_ms: int, *, left_out: bool
    ) -> dict[SubjectRule, Evidence]:
        """What stands behind the alerts that change; with `left_out` some mail is not judged.

        Raises:
            StoreError: the store failed.
        """
        rules = {rule.name: rule for rule in self._policy.rules}
        found = {
            (*outcome.key, verdict.rule): pool_evidence(
                self._store,
                outcome.subject.scope,
                rules[verdict.rule],
                verdict.window,
                self._policy,
                self._fbl,
                now_ms,
            )
            for outcome in outcomes
            for _, verdict in outcome.transitions
        }
        if not left_out:
            return found
        return shared_with_unjudged(found, self._store, outcomes, self._policy, now_ms)

    def forget(self) -> None:
        """Read everything again."""
        for pools in self._pools:
            pools.forget()
