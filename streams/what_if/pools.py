"""Small customers that share a pool, From domain or plan, together over the stored hours: what `streams.windows.pools`
would have read at each full hour, and what became of their alerts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, window_ms
from schemas.policy_rule import Rule
from schemas.scope import PLAN, POOL, SHARED
from schemas.times import DAY_MS, HOUR_MS
from streams.alerts.lifecycle import Transition
from streams.io.store import Store
from streams.judge.certainty import bar_of, reach
from streams.judge.spikes import DAY_H
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Counts
from streams.subjects.stored_fresh_starts import fresh_starts
from streams.what_if.backtest import Life
from streams.what_if.each_rule import each_rule, hours_of, short_windows
from streams.what_if.hourly_subjects import Extent
from streams.what_if.pool_cells import (
    BLOCK,
    COMPLAINED,
    DELIVERED,
    EXPIRED,
    FINISHED,
    HARD,
    Clock,
    PoolCells,
    Table,
)
from streams.what_if.pool_listings import replay_pool_listings
from streams.windows.pool_queries import HISTORY, KNOWN, LEAST_COMPLAINTS, TIMES_LEAST
from streams.windows.pools import LEAST_MEMBERS, NOBODY, pooled_rules

#: Pools or domains, and customers in them, that are held at once.
VALUES_AT_ONCE, CUSTOMERS_AT_ONCE = 1_000, 400


class GoodHistory(NamedTuple):
    """The hours of the history by which customers are new or known, and from which failing and complaining shares of it
    (ratios) it is not good: by the whole policy."""

    hours: int
    failing: float
    complained: float


class OneRule(NamedTuple):
    """A policy of one rule, and which history is good."""

    alone: Policy
    good: GoodHistory

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.alone.rules[0]


@dataclass(frozen=True, slots=True)
class PoolReplay:
    """The hours that are replayed, and by which policies."""

    store: Store
    extent: Extent
    policies: Sequence[Policy]
    feedback_loop: Sequence[str]

    def transitions(self) -> list[list[Transition]]:
        """What each policy would have said of pools, From domains and plans.

        Raises:
            StoreError: the store failed.
        """
        found: list[list[Transition]] = [[] for _ in self.policies]
        for kind in SHARED:
            alone = [_alone(policy, kind) if kind in policy.scopes else [] for policy in self.policies]
            for rule, each in self._replayed(kind, [each for several in alone for each in several]):
                for said, several in zip(found, alone, strict=True):
                    if rule in several:
                        said.append(each)
        for place, policy in enumerate(self.policies):
            if POOL in policy.scopes:
                found[place] += replay_pool_listings(self.store, self.extent, policy)
        return found

    def _replayed(self, kind: str, every: Sequence[OneRule]) -> Iterator[tuple[OneRule, Transition]]:
        different = [each for place, each in enumerate(every) if each not in every[:place]]
        if not different:
            return
        reader = PoolCells(self.store, self.extent, kind, self.feedback_loop)
        whole = PoolCells(self.store, self.extent, "", self.feedback_loop)
        members = reader.members()
        plans = {each: value for value, some in members.items() for each in some} if kind == PLAN else {}
        fresh = fresh_starts(self.store, self.extent.end_s * 1000, self.extent.start_s)
        values = sorted(members)
        minutes = {window for each in different for window in short_windows(each.rule)}
        for start in range(0, len(values), VALUES_AT_ONCE):
            some = values[start : start + VALUES_AT_ONCE]
            sums = _Sums(Clock(self.extent), different, some)
            customers = sorted({each for value in some for each in members[value]})
            for place in range(0, len(customers), CUSTOMERS_AT_ONCE):
                names = customers[place : place + CUSTOMERS_AT_ONCE]
                for window in ("", *sorted(minutes)):
                    altogether = whole.table(names, (), {}, fresh, window)
                    sums.add(reader.table(names, some, plans, fresh, window), altogether, window)
            yield from sums.replayed(kind)


@dataclass(slots=True)
class _Together:
    """What some customers have together of each thing, at each step: numerator, denominator, how many have mail, and
    numerator and denominator of the one with most of it."""

    top: Counts
    bottom: Counts
    members: Counts
    most: Counts
    most_of: Counts

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> "_Together":
        """Of nobody."""
        top, bottom, members, most = np.zeros((4, *shape), np.int64)
        return cls(top, bottom, members, most, np.full(shape, np.iinfo(np.int64).max))

    def add(self, place: int, top: Counts, bottom: Counts, counts: NDArray[np.bool_]) -> None:
        """Add one customer, at the steps at which it counts."""
        self.top[place] += np.where(counts, top, 0)
        self.bottom[place] += np.where(counts, bottom, 0)
        self.members[place] += counts & (bottom > 0)
        more = counts & ((top > self.most[place]) | ((top == self.most[place]) & (bottom < self.most_of[place])))
        self.most[place][more], self.most_of[place][more] = top[more], bottom[more]

    def judged(self, place: int, threshold: float, bar: float) -> tuple[Counts, Counts]:
        """Numerator and denominator that count: of two or more, and not where all but one are good."""
        top, bottom = self.top[place], self.bottom[place]
        rest = top - self.most[place], bottom - np.where(self.members[place] > 0, self.most_of[place], 0)
        lone = reach(top, bottom, threshold, bar) & ~reach(*rest, threshold, bar)
        counted = (self.members[place] >= LEAST_MEMBERS) & ~lone
        return np.where(counted, top, 0), np.where(counted, bottom, 0)


class _Sums:
    """What small customers, and new ones, have together, by policy of one rule and window."""

    def __init__(self, clock: Clock, policies: Sequence[OneRule], values: Sequence[str]) -> None:
        self._policies = policies
        self._clock = clock
        self._values = values
        shape = len(values), len(clock.steps)
        windows = [(place, window) for place, each in enumerate(policies) for window in each.rule.windows]
        self._small = {key: _Together.nothing(shape) for key in windows}
        self._new = {key: _Together.nothing(shape) for key in windows if window_ms(key[1]) >= DAY_MS}

    def add(self, shared: Table, whole: Table, tail: str) -> None:
        """Add some customers; with a `tail` only for that window of less than an hour."""
        row_of = {customer: row for row, (customer, _) in enumerate(whole.cells)}
        place_of = {value: place for place, value in enumerate(self._values)}
        kept = [row for row, (customer, value) in enumerate(shared.cells) if customer in row_of and value in place_of]
        if not kept:
            return
        owners = [row_of[shared.cells[row][0]] for row in kept]
        known = {good: self._known(whole, good) for good in {each.good for each in self._policies if not tail}}
        for (place, window), small in self._small.items():
            if tail != (window if window_ms(window) < HOUR_MS else ""):
                continue
            each = self._policies[place]
            top, bottom = _measures(each.rule, expired_is_failure=each.alone.expired_is_failure)
            hours, least = hours_of(window), dict(each.rule.checks)[window]
            own_top, own = whole.within(self._clock, top, hours), whole.within(self._clock, bottom, hours)
            is_small = own < least
            counted = [(small, is_small)]
            if (new := self._new.get((place, window))) is not None:
                reached = reach(own_top, own, each.rule.thresholds[0], bar_of(window, each.alone.confidence))
                is_new = ~known[each.good] & (own < TIMES_LEAST * least) & (is_small | ~reached)
                counted.append((new, is_new))
            n, d = shared.within(self._clock, top, hours), shared.within(self._clock, bottom, hours)
            for row, owner in zip(kept, owners, strict=True):
                for together, who in counted:
                    together.add(place_of[shared.cells[row][1]], n[row], d[row], who[owner])

    def _known(self, whole: Table, good: GoodHistory) -> NDArray[np.bool_]:
        """Who has a good history, of mail that is more than a day old: see `streams.windows.pool_queries`."""

        def before(*measures: int) -> Counts:
            found: Counts = whole.within(self._clock, measures, good.hours) - whole.within(self._clock, measures, DAY_H)
            return found

        mail, delivered = before(FINISHED), before(DELIVERED)
        found: NDArray[np.bool_] = (mail >= KNOWN) & (before(HARD, EXPIRED) < good.failing * mail)
        found &= before(COMPLAINED) < np.maximum(LEAST_COMPLAINTS, good.complained * delivered)
        return found

    def replayed(self, kind: str) -> Iterator[tuple[OneRule, Transition]]:
        """What became of the alerts on each."""
        times_ms = (self._clock.times_s * 1000).tolist()
        for place, each in enumerate(self._policies):
            for number, value in enumerate(self._values):
                small, may_open = self._counts(self._small, place, number)
                new, may_open_too = self._counts(self._new, place, number)
                watched = np.flatnonzero(may_open | may_open_too).tolist()
                if watched:
                    life = Life(NOBODY, f"{kind}:{value}", each.alone, times_ms, small, other=new)
                    for said in life.replay(watched):
                        yield each, said

    def _counts(
        self, sums: Mapping[tuple[int, str], _Together], place: int, number: int
    ) -> tuple[Counts, NDArray[np.bool_]]:
        """The counts of one thing as they are judged, and at which steps a level may open."""
        rule, confidence = self._policies[place].rule, self._policies[place].alone.confidence
        counts = np.zeros((len(self._clock.steps), len(rule.windows), len(FIELDS)), np.int64)
        opening = np.zeros(len(counts), np.bool_)
        for column, (window, least) in enumerate(rule.checks):
            if (place, window) in sums:
                bar = bar_of(window, confidence)
                top, bottom = sums[place, window].judged(number, rule.thresholds[0], bar)
                opening |= (bottom >= least) & reach(top, bottom, rule.thresholds[0], bar)
                for name, numbers in _named(rule, top, bottom).items():
                    counts[:, column, FIELD_INDEX[name]] = numbers
        return counts, opening


def _alone(policy: Policy, kind: str) -> list[OneRule]:
    rules = tuple(rule for rule in pooled_rules(policy, kind) if rule.metric not in OF_POOLS)
    if not rules:
        return []
    read = [window for rule in rules for window in rule.windows if window_ms(window) >= DAY_MS]
    longest = max(hours_of(window) for window in (HISTORY, *read))
    good = GoodHistory(longest, policy.bad_from("failure"), policy.bad_from("complaint"))
    cut = each_rule(msgspec.structs.replace(policy, rules=rules, overrides=()), minutes=True)
    return [OneRule(each, good) for each in cut]


def _measures(rule: Rule, *, expired_is_failure: bool) -> tuple[list[int], list[int]]:
    """Numerator and denominator; the latter, of all of its mail, tells whether a customer is small."""
    match rule.metric:
        case "complaint":
            return [COMPLAINED], [DELIVERED]
        case "failure":
            return [HARD, EXPIRED] if expired_is_failure else [HARD], [FINISHED]
        case _:
            return [BLOCK], [FINISHED]


def _named(rule: Rule, top: Counts, bottom: Counts) -> dict[str, Counts]:
    """As `streams.windows.pools` names them for judging."""
    if rule.metric == "complaint":
        return {"fbl_complained": top, "fbl_delivered": bottom}
    return {"hard" if rule.metric == "failure" else "block": top, "delivered": bottom - top}
