"""What a policy would have done: the lives of alerts over a stored history, hour by hour. Pure.

At each full hour every subject is judged by `judge`, and its alerts live by `lifecycle.step`, as in the monitor. At a
full hour the monitor's windows are whole hours, so the sums are the very same; what rises and falls between two full
hours is not seen. Windows shorter than an hour are judged as an hour; a burn is then that of the hour alone.

Rules are independent of each other, so each is followed by itself, and one that two policies share only once. Hours at
which nothing can change are passed over: no rate can open a level, or the open one surely holds and no worse one can.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.counts import SubjectCounts, VolumeBaseline, WindowCounts
from schemas.levels import Level
from schemas.listing import Weight
from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, RATES, SPIKE, USE, Metric, MinVolume, window_ms
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.scope import CLASS, CUSTOMER, SHARED
from schemas.times import HOUR_MS, HOUR_S
from streams.alerts.lifecycle import AlertState, Transition, step
from streams.judge.certainty import bar_of, reach
from streams.judge.screen import finished, measured
from streams.judge.spikes import FIRST_H, HOURS, baseline
from streams.judge.verdict import RANK, judge
from streams.subjects import undated
from streams.subjects.arrays import FIELD_INDEX, FIELDS, LISTED_S_OF, LISTINGS_OF, Counts
from streams.subjects.scopes import scopes_of

#: Rates are compared with a little room, since `judge` has the last word on all that are let through.
ROOM = 1e-9

Steps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OwnListing:
    """A listing from `from_s` to `to_s` (epoch s) that is a customer's own; `stream` is the only stream that sent
    there, where that is known."""

    from_s: int
    to_s: float
    weight: Weight = "critical"
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class AttributedListing:
    """A listing from `from_s` to `to_s` (epoch s) of which a customer is the likeliest cause, by this share."""

    from_s: int
    to_s: float
    share: float


@dataclass(frozen=True, slots=True)
class History:
    """Counts by the hour: `counts` has the axes subject, hour, field; the first hour begins at `start_s` (epoch s).

    It is judged at the end of each of the hours from number `first` on (counted from 1). `listings` are
    a customer's own, `attributed` those of which it is the likeliest cause.
    """

    customers: Sequence[str]
    scopes: Sequence[str]
    start_s: int
    first: int
    counts: Counts
    listings: Mapping[str, Sequence[OwnListing]] = field(default_factory=dict)
    attributed: Mapping[str, Sequence[AttributedListing]] = field(default_factory=dict)

    @property
    def steps(self) -> Steps:
        """How many hours are over at each step."""
        return np.arange(self.first, self.counts.shape[1] + 1)

    @property
    def times_s(self) -> Steps:
        """The time of each step, epoch s."""
        return self.start_s + self.steps * HOUR_S


def transitions(history: History, policies: Sequence[Policy]) -> list[list[Transition]]:
    """What each policy would have said, starting without any open alert: by subject and rule, in the order of time."""
    followed: list[tuple[Policy, list[Transition]]] = []
    rates = _Rates(history)
    found = []
    for policy in policies:
        said: list[Transition] = []
        for alone in each_rule(policy):
            known = next((each for other, each in followed if other == alone), None)
            if known is None:
                known = list(_replay_rule(history, rates, alone))
                followed.append((alone, known))
            said += known
        found.append(said)
    return found


def not_replayed(policies: Iterable[Policy]) -> Iterator[str]:
    """What of policies is judged otherwise here than by the monitor, or not at all."""
    coarse = dict.fromkeys(
        rule.name for policy in policies for rule in policy.rules if rule.metric in BURNS and _hourly(rule) != rule
    )
    for name in coarse:
        yield f"rule {name}: its windows of less than an hour are judged as the hour"
    left_out = (rule.name for policy in policies for rule in policy.rules if not _is_replayed(rule))
    for name in dict.fromkeys(left_out):
        yield f"rule {name} is not replayed: what it judges is not read by the hour"
    if any(CLASS in policy.scopes for policy in policies):
        yield "bulk and transactional mail are not replayed by themselves"
    for kind, name in SHARED.items():
        if any(kind in policy.scopes for policy in policies):
            yield f"small customers of a {name} are not replayed together"


def each_rule(policy: Policy) -> list[Policy]:
    """The policy cut into policies of one rule each, equal where they judge alike; without those that cannot be
    replayed."""
    return [
        msgspec.structs.replace(
            policy,
            name="",
            rules=(hourly,),
            windows=tuple(dict.fromkeys((*hourly.reads, *_spreading(policy.windows)))),
            overrides=tuple(_hourly_override(each, hourly) for each in policy.overrides if each.rule == rule.name),
        )
        for rule in policy.rules
        if _is_replayed(rule)
        for hourly in (_hourly(rule),)
    ]


def _is_replayed(rule: Rule) -> bool:
    return rule.metric not in USE and not rule.mail_to


def _hourly(rule: Rule) -> Rule:
    """A rule on a burn by the hour: that of minutes is not known, since it is measured by the window's length."""
    if rule.metric not in BURNS:
        return rule
    windows = dict.fromkeys(_an_hour_or_more(window) for window in rule.windows)
    return msgspec.structs.replace(rule, windows=tuple(windows), min_volume=_hourly_volume(rule.min_volume))


def _hourly_override(override: Override, rule: Rule) -> Override:
    if rule.metric not in BURNS or override.min_volume is None:
        return override
    return msgspec.structs.replace(override, min_volume=_hourly_volume(override.min_volume))


def _hourly_volume(least: MinVolume) -> MinVolume:
    """Where several windows become one hour, the largest of their minimum volumes."""
    if isinstance(least, int):
        return least
    found: dict[str, int] = {}
    for window, volume in least.items():
        hour = _an_hour_or_more(window)
        found[hour] = max(volume, found.get(hour, 0))
    return found


def _an_hour_or_more(window: str) -> str:
    return window if window_ms(window) >= HOUR_S * 1000 else "1h"


def hours_of(window: str) -> int:
    """The whole hours of a window, at least one."""
    return ceil(window_ms(window) / 1000 / HOUR_S)


def _spreading(windows: Sequence[str]) -> Iterator[str]:
    """The windows that say how undated outcomes are spread over those of a rule."""
    longest = max(windows, key=window_ms)
    return (each for each in windows if window_ms(each) >= undated.LAG_MS or each == longest)


def lengths_of(policy: Policy) -> list[int]:
    """The lengths in ms of what is read for a policy's windows."""
    return list(undated.to_read({name: window_ms(name) for name in policy.windows}).values())


def _replay_rule(history: History, rates: "_Rates", alone: Policy) -> Iterator[Transition]:
    (rule,) = alone.rules
    special = {each.customer for each in alone.overrides}
    opening = _may_open(history, rates, rule, alone)
    for place, customer in enumerate(history.customers):
        if history.scopes[place].partition(":")[0] not in alone.scopes:
            continue
        if customer in special:
            yield from _replay_alert(history, place, rule, alone, watched=None)
        elif opening[place].any():
            yield from _replay_alert(history, place, rule, alone, watched=np.flatnonzero(opening[place]).tolist())


def _may_open(history: History, rates: "_Rates", rule: Rule, alone: Policy) -> NDArray[np.bool_]:
    """Subject by step: whether the mildest level may open."""
    found = np.zeros((len(history.customers), len(history.steps)), np.bool_)
    if rule.metric in COUNTED:
        for place, (customer, scope) in enumerate(zip(history.customers, history.scopes, strict=True)):
            found[place] = _has_listings(history, customer, scope, rule)
        return found
    top, bottom = rates.of(rule.metric, alone.expired_is_failure)
    some = np.flatnonzero(top[:, -1] > 0)
    top, bottom = top[some], bottom[some]
    if rule.metric == SPIKE:
        for place in some.tolist():
            found[place] = _may_spike(history, place, rule)
        return found
    if rule.metric in BURNS:
        found[some] = _may_burn(history.first, rule, top, bottom)
        return found
    for window, least in rule.checks:
        n, d = _within(top, history.first, window), _within(bottom, history.first, window)
        found[some] |= (d >= least) & reach(n, d, rule.thresholds[0], bar_of(window, alone.confidence))
    return found


def _has_listings(history: History, customer: str, scope: str, rule: Rule) -> bool:
    """Whether any listing may count for a subject under a rule."""
    own = history.listings.get(customer, ())
    match rule.metric:
        case "attributed_listing":
            return scope == CUSTOMER and customer in history.attributed
        case "critical_listing":
            return scope == CUSTOMER and any(each.weight == "critical" for each in own)
        case _:
            return any(each.weight in rule.counted_weights for each in own)


def _may_burn(first: int, rule: Rule, top: Counts, bottom: Counts) -> NDArray[np.bool_]:
    """Whether every window's burn may reach the mildest level."""
    period = _within(bottom, first, rule.reads[-1])
    found = np.ones(period.shape, np.bool_)
    for window, least in rule.checks:
        n, d = _within(top, first, window), _within(bottom, first, window)
        whole = np.maximum(np.maximum(period, d), 1)
        found &= (d >= least) & (np.minimum(n, d) / whole * rule.paces[window] >= rule.thresholds[0] * (1 - ROOM))
    return found


def _may_spike(history: History, place: int, rule: Rule) -> NDArray[np.bool_]:
    """At which steps the hour is far enough above the busiest time before."""
    ((_, least),) = rule.checks
    volumes = np.maximum(finished(history.counts[place]), 0)
    found: NDArray[np.bool_] = volumes[history.first - 1 :] >= least
    if found.any():
        known = np.concatenate((np.zeros(FIRST_H, np.int64), volumes))
        pairs = known[:-1] + known[1:]
        busiest = np.lib.stride_tricks.sliding_window_view(pairs, HOURS - 1).max(axis=1)
        found &= volumes[history.first - 1 :] > rule.times * busiest[history.first : history.first + len(found)]
    return found


def _replay_alert(
    history: History, place: int, rule: Rule, alone: Policy, watched: list[int] | None
) -> Iterator[Transition]:
    """One subject under one rule.

    While no level is open only the `watched` steps are looked at; while one is, those at which it may change. Without
    `watched` all are.
    """
    customer, scope = history.customers[place], history.scopes[place]
    counts = _windows(history, place, rule, lengths_of(alone))
    times_ms = (history.times_s * 1000).tolist()
    every = watched is None or rule.metric not in RATES
    volumes = finished(history.counts[place]) if rule.metric == SPIKE else None
    looked_at: dict[Level, Sequence[int]] = {"good": range(len(times_ms)) if watched is None else watched}
    state: AlertState | None = None
    at = 0
    while at < len(times_ms):
        level: Level = "good" if state is None else state.level
        if state is None or state.below_since_ms is None:
            if level not in looked_at:
                looked_at[level] = range(len(times_ms)) if every else _may_change(level, counts, rule, alone)
            later = bisect_left(looked_at[level], at)
            if later == len(looked_at[level]):
                return
            at = looked_at[level][later]
        usual = None if volumes is None else baseline(_days_before(volumes, history.first + at))
        verdict = judge(_subject(customer, scope, rule, counts[at], usual), alone, times_ms[at]).verdicts[0]
        state, transition = step(
            state, verdict, times_ms[at], rule.hold_ms, customer, scope, cool_down_ms=rule.cool_down_ms
        )
        if transition is not None:
            yield transition
        at += 1


def _may_change(level: Level, counts: Counts, rule: Rule, alone: Policy) -> list[int]:
    """The steps at which an open `level` may not hold any more, or a worse one may open."""
    top, bottom = measured(rule.metric, counts, alone.expired_is_failure)
    mark = next(rung.resolve_at for rung in rule.ladder if rung.level == level)
    worse = next((rung.threshold for rung in rule.ladder if RANK[rung.level] > RANK[level]), None)
    held, rising = np.zeros((2, len(counts)), np.bool_)
    for column, (window, least) in enumerate(rule.checks):
        n, d = top[:, column], bottom[:, column]
        held |= (d >= least) & (np.minimum(n, d) / np.maximum(d, 1) >= mark + ROOM)
        if worse is not None:
            rising |= (d >= least) & reach(n, d, worse, bar_of(window, alone.confidence))
    found: list[int] = np.flatnonzero(~held | rising).tolist()
    return found


def _windows(history: History, place: int, rule: Rule, lengths_ms: Sequence[int]) -> Counts:
    """The counts of one subject, with the axes step, window of the rule, field. `lengths_ms` are all that are read."""
    total = np.zeros((history.counts.shape[1] + 1, len(FIELDS)), np.int64)
    np.cumsum(history.counts[place], axis=0, out=total[1:])
    steps = history.steps
    own = [window_ms(each) for each in rule.reads]
    every = own if undated.none_in(total[-1]) else own + [undated.longer(each, lengths_ms) for each in own]
    back = [ceil(each / HOUR_MS) for each in every]
    found = np.stack([total[steps] - total[np.maximum(steps - each, 0)] for each in back], axis=1)
    found = undated.spread(found, every, len(own))
    for name in ("sent", "exposed"):  # as in `windows`: the delivery of a late bounce may lie before the window
        np.maximum(found[..., FIELD_INDEX[name]], 0, out=found[..., FIELD_INDEX[name]])
    if rule.metric in COUNTED:
        _add_listings(found, history, place, rule)
    return found


def _add_listings(found: Counts, history: History, place: int, rule: Rule) -> None:
    """The listings of one subject, as `own_listings` fills them in."""
    customer, scope, times = history.customers[place], history.scopes[place], history.times_s
    windows = [(column, window_ms(window) // 1000) for column, window in enumerate(rule.windows)]
    for each in history.listings.get(customer, ()):
        if scope != CUSTOMER and (each.stream is None or scope not in scopes_of(each.stream)):
            continue
        for column, length in windows:
            counted = _in_force(each, times, length)
            found[:, column, LISTINGS_OF[each.weight]] += counted
            if scope == CUSTOMER and each.weight == "critical":
                found[:, column, FIELD_INDEX["critical_listings"]] += counted
            lasted = np.minimum(np.floor(each.to_s), times) - np.maximum(each.from_s, times - length)
            found[:, column, LISTED_S_OF[each.weight]] += np.maximum(lasted, 0).astype(np.int64)
    if scope == CUSTOMER:
        for caused in history.attributed.get(customer, ()):
            if caused.share >= rule.least_share:
                for column, length in windows:
                    found[:, column, FIELD_INDEX["attributed_listings"]] += _in_force(caused, times, length)


def _in_force(listing: OwnListing | AttributedListing, times: Steps, length_s: int) -> NDArray[np.bool_]:
    """Of each step, whether a listing was in force at some time of a window."""
    found: NDArray[np.bool_] = (listing.from_s <= times) & (listing.to_s > times - length_s)
    return found


def _days_before(volumes: Counts, hour: int) -> Counts:
    """The hours that a baseline at the end of `hour` hours is made of; there was no mail before the first."""
    begin = hour - FIRST_H
    found = volumes[max(0, begin) : max(0, begin + HOURS)]
    return np.concatenate((np.zeros(HOURS - len(found), np.int64), found))


def _subject(customer: str, scope: str, rule: Rule, counts: Counts, usual: VolumeBaseline | None) -> SubjectCounts:
    return SubjectCounts(
        customer=customer,
        scope=scope,
        windows={
            name: WindowCounts(**dict(zip(FIELDS, row, strict=True)))
            for name, row in zip(rule.reads, counts.tolist(), strict=True)
        },
        baseline=usual,
    )


class _Rates:
    """Running totals along the hours, beginning with 0, of what rates are made of; each is added up once."""

    def __init__(self, history: History) -> None:
        self._counts = history.counts
        self._known: dict[tuple[Metric, bool], tuple[Counts, Counts]] = {}

    def of(self, metric: Metric, expired_is_failure: bool) -> tuple[Counts, Counts]:
        """Of numerator and denominator, with the axes subject, hour."""
        key = metric, expired_is_failure
        if key not in self._known:
            top, bottom = measured(metric, self._counts, expired_is_failure)
            self._known[key] = _summed(top), _summed(bottom)
        return self._known[key]


def _summed(values: Counts) -> Counts:
    total = np.zeros((values.shape[0], values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=total[:, 1:])
    return total


def _within(total: Counts, first: int, window: str) -> Counts:
    """The sums of a window at each step from `first` on."""
    found = total[:, first:].copy()
    begin = first - hours_of(window)
    # A window that reaches back before the first hour has nothing to take away.
    without = max(0, -begin)
    found[:, without:] -= total[:, max(0, begin) : max(0, begin) + max(0, found.shape[1] - without)]
    return found
