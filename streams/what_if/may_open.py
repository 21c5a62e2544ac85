"""At which steps a level may open: a quick look at all subjects at once, so that most are never judged one by one. What
it lets through is judged. Pure."""

import numpy as np
from numpy.typing import NDArray

from schemas.policy import Policy
from schemas.policy_metric import BURNS, COUNTED, NEW_FROM, REPORTED_SPAM, SPIKE, Metric, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CUSTOMER
from schemas.times import HOUR_MS
from streams.judge.certainty import bar_of, reach
from streams.judge.screen import finished, measured
from streams.judge.spikes import FIRST_H, HOURS
from streams.subjects.arrays import FIELDS, Counts
from streams.what_if.each_rule import hours_of, short_windows
from streams.what_if.listed import has_listings
from streams.what_if.timeline import Group, History

#: Rates are compared with a little room, since `judge` has the last word on all that are let through.
ROOM = 1e-9

Looked = NDArray[np.bool_]


class RateTotals:
    """Running totals along the hours, beginning with 0, of what rates are made of; each is added up once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[tuple[Metric, bool, Group], tuple[Counts, Counts]] = {}

    def of(self, metric: Metric, expired_is_failure: bool, group: Group = ()) -> tuple[Counts, Counts]:
        """Of numerator and denominator, with the axes subject, hour."""
        key = metric, expired_is_failure, group
        if key not in self._known:
            top, bottom = measured(metric, self._history.mail_to(group), expired_is_failure)
            self._known[key] = _summed(top), _summed(bottom)
        return self._known[key]


def may_open(history: History, rates: RateTotals, rule: Rule, alone: Policy) -> Looked:
    """Subject by step: whether the mildest level may open."""
    found = np.zeros((len(history.customers), len(history.steps)), np.bool_)
    if rule.metric in COUNTED or rule.metric in ("unwanted", REPORTED_SPAM):
        for place, (customer, scope) in enumerate(zip(history.customers, history.scopes, strict=True)):
            found[place] = _has_any(history, customer, scope, rule)
        return found
    top, bottom = rates.of(rule.metric, alone.expired_is_failure, rule.mail_to)
    some = np.flatnonzero(top[:, -1] > 0)
    if rule.metric == SPIKE:
        for place in some.tolist():
            found[place] = _may_spike(history, place, rule)
    elif rule.metric in BURNS:
        found[some] = _may_burn(history, rule, top, bottom, some, alone)
    else:
        for window, least in rule.checks:
            n, d = _sums(history, rule, window, top, bottom, some, alone)
            found[some] |= (d >= least) & reach(n, d, rule.thresholds[0], bar_of(window, alone.confidence))
    return found


def may_need_minutes(history: History, rates: RateTotals, rule: Rule, alone: Policy) -> Looked:
    """Of each subject, whether a window of less than an hour may open a level, by what its hours have."""
    found = np.zeros(len(history.customers), np.bool_)
    short = short_windows(rule)
    if not short or rule.metric in COUNTED:
        return found
    top, bottom = rates.of(rule.metric, alone.expired_is_failure, rule.mail_to)
    some = np.flatnonzero(top[:, -1] > 0)
    if rule.metric in BURNS:
        longer = [window for window in rule.windows if window not in short]
        if not longer:
            found[some] = True
            return found
        whole = _spent(rule, [(window, dict(rule.checks)[window]) for window in longer], history, top, bottom, some)
        found[some] = whole.any(axis=1)
        return found
    for window, least in rule.checks:
        if window in short:
            # Less mail than the hour has may have as many bad outcomes, but not less than the minimum volume.
            n, d = (_within(each[some], history.first, 1) for each in (top, bottom))
            few = np.full_like(n, max(1, least))
            surely = reach(np.minimum(n, few), few, rule.thresholds[0], bar_of(window, alone.confidence))
            found[some] |= ((d >= least) & (n > 0) & (surely | (n >= few) | (least <= 1))).any(axis=1)
    return found


def _has_any(history: History, customer: str, scope: str, rule: Rule) -> bool:
    if rule.metric == "unwanted":
        return customer in history.unwanted
    if rule.metric == NEW_FROM:
        return customer in history.domains
    if rule.metric == REPORTED_SPAM:
        return scope == CUSTOMER and customer in history.reported
    return has_listings(history, customer, scope, rule)


def _sums(
    history: History, rule: Rule, window: str, top: Counts, bottom: Counts, some: Counts, alone: Policy
) -> tuple[Counts, Counts]:
    """Numerator and denominator of a window at each step."""
    if history.tails is not None and window_ms(window) < HOUR_MS:
        steps = history.steps - 1
        tails = history.tails.get((rule.mail_to, window), {})
        counts = np.zeros((len(some), len(steps), len(FIELDS)), np.int64)
        for row, place in enumerate(some.tolist()):
            if place in tails:
                counts[row] = tails[place][steps]
        return measured(rule.metric, counts, alone.expired_is_failure)
    hours = hours_of(window)
    return _within(top[some], history.first, hours), _within(bottom[some], history.first, hours)


def _may_burn(history: History, rule: Rule, top: Counts, bottom: Counts, some: Counts, alone: Policy) -> Looked:
    """Whether every window's burn may reach the mildest level."""
    period = _within(bottom[some], history.first, hours_of(rule.reads[-1]))
    found = np.ones(period.shape, np.bool_)
    for window, least in rule.checks:
        n, d = _sums(history, rule, window, top, bottom, some, alone)
        found &= _burns(rule, window, least, n, d, period)
    return found


def _spent(
    rule: Rule, checks: list[tuple[str, int]], history: History, top: Counts, bottom: Counts, some: Counts
) -> Looked:
    period = _within(bottom[some], history.first, hours_of(rule.reads[-1]))
    found = np.ones(period.shape, np.bool_)
    for window, least in checks:
        n, d = (_within(each[some], history.first, hours_of(window)) for each in (top, bottom))
        found &= _burns(rule, window, least, n, d, period)
    return found


def _burns(rule: Rule, window: str, least: int, n: Counts, d: Counts, period: Counts) -> Looked:
    whole = np.maximum(np.maximum(period, d), 1)
    found: Looked = (d >= least) & (np.minimum(n, d) / whole * rule.paces[window] >= rule.thresholds[0] * (1 - ROOM))
    return found


def _may_spike(history: History, place: int, rule: Rule) -> Looked:
    """At which steps the hour is far enough above the busiest time before."""
    ((_, least),) = rule.checks
    volumes = np.maximum(finished(history.counts[place]), 0)
    found: Looked = volumes[history.first - 1 :] >= least
    if found.any():
        known = np.concatenate((np.zeros(FIRST_H, np.int64), volumes))
        pairs = known[:-1] + known[1:]
        busiest = np.lib.stride_tricks.sliding_window_view(pairs, HOURS - 1).max(axis=1)
        # What the fleet sent more in an hour is no part of what is usual.
        least_busy = busiest[history.first : history.first + len(found)] / (history.fleet.most if history.fleet else 1)
        found &= volumes[history.first - 1 :] > rule.times * least_busy - 1
    return found


def _summed(values: Counts) -> Counts:
    total = np.zeros((values.shape[0], values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=total[:, 1:])
    return total


def _within(total: Counts, first: int, hours: int) -> Counts:
    """The sums over so many hours at each step from `first` on."""
    found = total[:, first:].copy()
    begin = first - hours
    # A window that reaches back before the first hour has nothing to take away.
    without = max(0, -begin)
    found[:, without:] -= total[:, max(0, begin) : max(0, begin) + max(0, found.shape[1] - without)]
    return found
