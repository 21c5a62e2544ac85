"""What a policy would have done: the lives of alerts over a stored history, hour by hour. Pure.

At each full hour every subject is judged by `judge`, and its alerts live by `lifecycle.step`, as in the monitor. At a
full hour the monitor's windows are whole hours, so the sums are the very same; what rises and falls between two full
hours is not seen.

Rules are independent of each other, so each is followed by itself (`each_rule`). Hours at which nothing can change are
passed over: no rate can open a level, or the open one surely holds and no worse one can. Customers of whom people
decided something, by an override or a fresh start, are judged at every hour.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from schemas.alert import Acknowledgement
from schemas.counts import SubjectCounts, VolumeBaseline, WindowCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_metric import RATES, SPIKE, USE
from schemas.policy_rule import Rule
from schemas.scope import CLASS_PREFIX
from streams.alerts.lifecycle import ACTED_ON, AlertState, Basis, Transition, released, step
from streams.alerts.outcome import JudgementContext, advance_alert, override_key
from streams.alerts.release import beyond_release
from streams.decisions.overrides import PastOverride, operators, with_stored
from streams.judge.certainty import bar_of, reach
from streams.judge.fleet import AS_USUAL
from streams.judge.screen import finished, measured
from streams.judge.spikes import FIRST_H, HOURS, baseline
from streams.judge.verdict import RANK, judge
from streams.subjects.arrays import FIELDS, Counts
from streams.what_if.each_rule import each_rule, hours_of, lengths_of
from streams.what_if.may_open import ROOM, RateTotals, may_open
from streams.what_if.sliding import volumes_at, windows_of, windows_since
from streams.what_if.timeline import AttributedListing, Cut, History, OwnListing

__all__ = [
    "AttributedListing",
    "History",
    "Life",
    "OwnListing",
    "each_rule",
    "hours_of",
    "lengths_of",
    "transitions",
]


def transitions(history: History, policies: Sequence[Policy]) -> list[list[Transition]]:
    """What each policy would have said, starting without any open alert: by subject and rule, in the order of time."""
    followed: list[tuple[Policy, list[Transition]]] = []
    rates = RateTotals(history)
    found = []
    for policy in policies:
        said: list[Transition] = []
        for alone in each_rule(policy, minutes=history.tails is not None):
            known = next((each for other, each in followed if other == alone), None)
            if known is None:
                known = list(_replay_rule(history, rates, alone))
                followed.append((alone, known))
            said += known
        found.append(said)
    return found


def _replay_rule(history: History, rates: RateTotals, alone: Policy) -> Iterator[Transition]:
    (rule,) = alone.rules
    special = {each.customer for each in alone.overrides} | history.overrides.keys() | history.cuts.keys()
    special |= history.releases.keys()
    opening = may_open(history, rates, rule, alone)
    for place, (customer, scope) in enumerate(zip(history.customers, history.scopes, strict=True)):
        if scope.partition(":")[0] not in alone.scopes:
            continue
        if customer in special or opening[place].any():
            counts = windows_of(history, place, rule, lengths_of(alone))
            ended = history.releases.get(customer, ())
            releases = [each.time_ms for each in ended if (each.scope, each.rule) == (scope, rule.name)]
            if releases:
                counts = windows_since(history, place, rule, lengths_of(alone), counts, releases)
            watched = None if customer in special else np.flatnonzero(opening[place]).tolist()
            usual = _usual(history, place) if rule.metric == SPIKE and not scope.startswith(CLASS_PREFIX) else None
            times_ms = (history.times_s * 1000).tolist()
            decided = history.overrides.get(customer, ()), history.cuts.get(customer, ())
            life = Life(customer, scope, alone, times_ms, counts, usual, *decided, releases=releases)
            yield from life.replay(watched)


def _usual(history: History, place: int) -> Callable[[int], VolumeBaseline | None]:
    volumes = finished(history.counts[place])

    def at(number: int) -> VolumeBaseline | None:
        known = volumes_at(history, place, number, volumes)
        fleet = history.fleet.at(int(history.times_s[number]) * 1000) if history.fleet else AS_USUAL
        found = baseline(_days_before(known, history.first + number), fleet.before)
        return found and msgspec.structs.replace(found, fleet=fleet.now)

    return at


def _days_before(volumes: Counts, hour: int) -> Counts:
    """The hours that a baseline at the end of `hour` hours is made of; there was no mail before the first."""
    begin = hour - FIRST_H
    found = volumes[max(0, begin) : max(0, begin + HOURS)]
    return np.concatenate((np.zeros(HOURS - len(found), np.int64), found))


@dataclass(frozen=True, slots=True)
class Life:
    """One subject under the one rule of a policy, at steps with times (epoch ms) and counts (step, window, field).

    `usual` says what is usual at a step. `overrides` and `cuts` are what people decided of the customer,
    `releases` (epoch ms) of its alert. `other` are other counts of the same subject: the worse of the two verdicts is
    the verdict.
    """

    customer: str
    scope: str
    alone: Policy
    times_ms: Sequence[int]
    counts: Counts
    usual: Callable[[int], VolumeBaseline | None] | None = None
    overrides: Sequence[PastOverride] = ()
    cuts: Sequence[Cut] = ()
    other: Counts | None = None
    releases: Sequence[int] = ()

    def replay(self, watched: Sequence[int] | None) -> Iterator[Transition]:
        """What happens to its alert.

        While no level is open only the `watched` steps are looked at; while one is, those at which it may change.
        Without `watched` all are.
        """
        (rule,) = self.alone.rules
        every = watched is None or self.other is not None or rule.metric not in RATES - USE
        looked_at: dict[Level, Sequence[int]] = {"good": range(len(self.times_ms)) if watched is None else watched}
        state: AlertState | None = None
        at = 0
        while at < len(self.times_ms):
            level: Level = "good" if state is None else state.level
            if state is None or state.below_since_ms is None:
                if level not in looked_at:
                    looked_at[level] = range(len(self.times_ms)) if every else self._may_change(level, rule)
                later = bisect_left(looked_at[level], at)
                if later == len(looked_at[level]):
                    return
                at = looked_at[level][later]
            state, said = self._step(state, at)
            yield from said
            at += 1

    def _step(self, state: AlertState | None, at: int) -> tuple[AlertState | None, Iterable[Transition]]:
        (rule,), now_ms = self.alone.rules, self.times_ms[at]
        held = [each.override for each in self.overrides if each.holds(now_ms)]
        policy = with_stored(self.alone, held, now_ms) if held else self.alone
        verdict = judge(self._subject(rule, self.counts, at), policy, now_ms).verdicts[0]
        if self.other is not None:
            another = judge(self._subject(rule, self.other, at), policy, now_ms).verdicts[0]
            verdict = max(verdict, another, key=lambda each: (RANK[each.level], RANK[each.holding_level]))
        if self.releases and state is not None:
            if (release_ms := self._released_at(state, at)) is not None:
                by = Acknowledgement(by="", why="", time_ms=release_ms)
                state, end = released(state, by, verdict.numerator, now_ms)
                return state, (end,)
            verdict = beyond_release(verdict, state, rule, now_ms)
        if not self.overrides and not self.cuts:
            whose = self.customer, self.scope
            state, said = step(state, verdict, now_ms, rule.hold_ms, *whose, cool_down_ms=rule.cool_down_ms)
            return state, () if said is None else (said,)
        overrides = policy.overrides_for(self.customer, self.scope, now_ms)
        context = JudgementContext(
            now=Basis(
                time_ms=now_ms,
                policy_version="",
                overrides=override_key(overrides, rule),
                fresh_ms=max((cut.decided_ms for cut in self.cuts if cut.decided_ms <= now_ms), default=0),
            ),
            override=operators(overrides, rule.name),
        )
        return advance_alert(state, verdict, rule, context, (self.customer, self.scope), {})

    def _released_at(self, state: AlertState, at: int) -> int | None:
        """When an operator released the alert, since the step before; None where that was of another one."""
        before_ms = self.times_ms[at - 1] if at else 0
        held = state.is_open and RANK[state.level] >= ACTED_ON
        return next((each for each in self.releases if held and before_ms < each <= self.times_ms[at]), None)

    def _subject(self, rule: Rule, counts: Counts, at: int) -> SubjectCounts:
        windows = {
            name: WindowCounts(**dict(zip(FIELDS, row, strict=True)))
            for name, row in zip(rule.reads, counts[at].tolist(), strict=True)
        }
        return SubjectCounts(
            customer=self.customer,
            scope=self.scope,
            windows=windows,
            baseline=None if self.usual is None else self.usual(at),
            by_provider={rule.mail_to: windows} if rule.mail_to else {},
        )

    def _may_change(self, level: Level, rule: Rule) -> list[int]:
        """The steps at which an open `level` may not hold any more, or a worse one may open."""
        top, bottom = measured(rule.metric, self.counts, self.alone.expired_is_failure)
        mark = next(rung.resolve_at for rung in rule.ladder if rung.level == level)
        worse = next((rung.threshold for rung in rule.ladder if RANK[rung.level] > RANK[level]), None)
        held, rising = np.zeros((2, len(self.counts)), np.bool_)
        for column, (window, least) in enumerate(rule.checks):
            n, d = top[:, column], bottom[:, column]
            held |= (d >= least) & (np.minimum(n, d) / np.maximum(d, 1) >= mark + ROOM)
            if worse is not None:
                rising |= (d >= least) & reach(n, d, worse, bar_of(window, self.alone.confidence))
        found: list[int] = np.flatnonzero(~held | rising).tolist()
        return found
