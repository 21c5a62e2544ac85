"""The windows of one subject at each step, as the monitor reads them: sums over whole hours, fresh starts, undated
outcomes, and what of it is judged at all. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from schemas.policy_metric import COUNTED, USE, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CLASS, CUSTOMER, STREAM_PREFIX, SUB_ACCOUNT
from schemas.times import HOUR_MS, HOUR_S
from streams.alerts.release import IN_FORCE
from streams.judge.screen import finished
from streams.subjects import undated
from streams.subjects.arrays import BEFORE, FIELD_INDEX, FIELDS, Counts, has_undated
from streams.subjects.scopes import sub_account
from streams.what_if.listed import add_listings, since_at
from streams.what_if.timeline import Cut, Group, History, Steps
from streams.what_if.use import add_use

_BEFORE = [FIELD_INDEX[name] for name in BEFORE]


def windows_of(history: History, place: int, rule: Rule, lengths_ms: Sequence[int]) -> Counts:
    """The counts of one subject, with the axes step, window of the rule, field. `lengths_ms` are all that are read."""
    totals = _Totals(history, place, rule.mail_to)
    own = [window_ms(each) for each in rule.reads]
    every = own
    if has_undated(totals.all):
        every = own + [undated.longer(each, lengths_ms) for each in own] + [max(lengths_ms, default=0)]
    found = np.stack([totals.within(-(-each // HOUR_MS)) for each in every], axis=1)
    if history.tails is not None:
        for column, window in enumerate(rule.reads):
            if window_ms(window) < HOUR_MS:
                found[:, column] = totals.tail(window)
    if totals.cuts and len(every) > len(own):
        longest = max(range(len(every)), key=every.__getitem__)
        found[:, longest, _BEFORE] = totals.before(-(-every[longest] // HOUR_MS))
    found = undated.spread(found, every, len(own))
    for name in ("sent", "exposed"):  # as in `windows`: the delivery of a late bounce may lie before the window
        np.maximum(found[..., FIELD_INDEX[name]], 0, out=found[..., FIELD_INDEX[name]])
    if rule.metric in COUNTED:
        add_listings(found, history, place, rule)
    if rule.metric in USE:
        add_use(found, history, place, rule, -(-max(lengths_ms) // 1000))
    found[~is_judged(history, place, max(lengths_ms))] = 0
    return found


def windows_since(
    history: History, place: int, rule: Rule, lengths_ms: Sequence[int], counts: Counts, releases_ms: Sequence[int]
) -> Counts:
    """The same `counts` where the rule's alert was released at these times (epoch ms): from each on mail sent since, by
    the full hour; what it is compared with, such as a burn's period, stays as it is."""
    if rule.metric in IN_FORCE:
        return counts
    customer = history.customers[place]
    begun = [Cut(each, -(-each // HOUR_MS) * HOUR_S) for each in releases_ms]
    cuts = sorted((*history.cuts.get(customer, ()), *begun), key=lambda cut: (cut.since_s, cut.decided_ms))
    found = windows_of(replace(history, cuts={**history.cuts, customer: cuts}), place, rule, lengths_ms)
    for column, window in enumerate(rule.reads):
        if window not in rule.windows:
            found[:, column] = counts[:, column]
    return found


class _Totals:
    """Running totals of one subject along the hours, beginning with 0."""

    def __init__(self, history: History, place: int, group: Group) -> None:
        self._history, self._place, self._group = history, place, group
        counts = history.mail_to(group)[place]
        self._total = np.zeros((counts.shape[0] + 1, len(FIELDS)), np.int64)
        np.cumsum(counts, axis=0, out=self._total[1:])
        self.cuts = history.cuts.get(history.customers[place], ())

    @property
    def all(self) -> Counts:
        """All that was counted."""
        found: Counts = self._total[-1]
        return found

    def within(self, hours: int) -> Counts:
        """The sums over so many hours at each step, and since the fresh start that is the last then."""
        steps = self._history.steps
        first = np.maximum(steps - hours, 0)
        base = self._total[first]
        for cut in self.cuts:
            later = _cuts_off(self._history, cut, first)
            base[later] = self._until(cut)
        found: Counts = self._total[steps] - base
        return found

    def tail(self, window: str) -> Counts:
        """The sums over a window of less than an hour."""
        history = self._history
        tails = (history.tails or {}).get((self._group, window), {})
        found = np.zeros((len(history.steps), len(FIELDS)), np.int64)
        if self._place in tails:
            found[:] = tails[self._place][history.steps - 1]
            for cut in self.cuts:
                before = cut.tails.get((self._group, window), {}).get(self._place)
                step = (cut.since_s - history.start_s) // HOUR_S + 1 - history.first
                if before is not None and 0 <= step < len(found):
                    found[step] -= before
        return found

    def before(self, hours: int) -> Counts:
        """The mail of a window of so many hours from before the fresh start, which undated outcomes may be of."""
        steps = self._history.steps
        first = np.maximum(steps - hours, 0)
        found = np.zeros((len(steps), len(FIELDS)), np.int64)
        for cut in self.cuts:
            later = _cuts_off(self._history, cut, first)
            found[later] = self._until(cut) - self._total[first[later]]
        return np.stack([undated.mail_of(found, name.removeprefix("before_")) for name in BEFORE], axis=-1)

    def _until(self, cut: Cut) -> Counts:
        hour = (cut.since_s - self._history.start_s) // HOUR_S
        partial = cut.partial.get(self._group, {}).get(self._place)
        total: Counts = self._total[hour]
        return total if partial is None else total + partial


def _cuts_off(history: History, cut: Cut, first: Steps) -> NDArray[np.bool_]:
    """Of each step, whether a fresh start holds and lies in the window that begins with hour number `first`."""
    found: NDArray[np.bool_] = history.times_s * 1000 >= cut.decided_ms
    found &= history.start_s + first * HOUR_S < cut.since_s
    return found


def is_judged(history: History, place: int, longest_ms: int) -> NDArray[np.bool_]:
    """Of each step, whether the subject is one: a customer has mail in the longest window read, or a rate was reported
    of it, a stream is one of several, a sub-account has not all, and mail of both classes was sent."""
    steps = history.steps
    if history.seen is None:
        return np.ones(len(steps), np.bool_)
    customer, scope = history.customers[place], history.scopes[place]
    hours = -(-longest_ms // HOUR_MS)
    if scope == CUSTOMER:
        return _seen(history, place, hours, ()) | _is_reported(history, customer, longest_ms)
    kind, _, name = scope.partition(":")
    if kind == CLASS:
        cuts = history.cuts.get(customer, ())
        both = (other for other in _of(history, customer) if history.scopes[other].startswith(f"{CLASS}:"))
        found: NDArray[np.bool_] = np.all([_seen(history, other, hours, cuts) for other in both], axis=0)
        return found
    streams = {
        history.scopes[other].removeprefix(STREAM_PREFIX): _seen(history, other, hours, ())
        for other in _of(history, customer)
        if history.scopes[other].startswith(STREAM_PREFIX)
    }
    several: NDArray[np.bool_] = np.sum(list(streams.values()), axis=0) > 1
    if kind != SUB_ACCOUNT:
        return several & streams[name]
    accounts = {sub_account(stream) for stream in streams}
    present = {
        account: np.any([streams[each] for each in streams if sub_account(each) == account], axis=0)
        for account in accounts
    }
    others: NDArray[np.bool_] = np.sum(list(present.values()), axis=0) > 1
    judged: NDArray[np.bool_] = several & others & present[name]
    return judged


def _is_reported(history: History, customer: str, longest_ms: int) -> NDArray[np.bool_]:
    found = np.zeros(len(history.steps), np.bool_)
    times, since = history.times_s, since_at(history, customer)
    for day in history.reported.get(customer, ()):
        found |= (times - longest_ms // 1000 <= day.ended_s) & (day.ended_s <= times) & (day.began_s >= since)
    return found


def _of(history: History, customer: str) -> list[int]:
    return [place for place, whose in enumerate(history.customers) if whose == customer]


def _seen(history: History, place: int, hours: int, cuts: Sequence[Cut]) -> NDArray[np.bool_]:
    """Of each step, whether there are any rows in so many hours before it, and after fresh starts."""
    steps = history.steps
    rows = np.zeros(history.counts.shape[1] + 1, np.int64)
    if history.seen is not None:
        np.cumsum(history.seen[place], out=rows[1:])
    first = np.maximum(steps - hours, 0)
    base = rows[first]
    for cut in cuts:
        later = _cuts_off(history, cut, first)
        base[later] = rows[(cut.since_s - history.start_s) // HOUR_S] + cut.seen.get(place, 0)
    found: NDArray[np.bool_] = rows[steps] > base
    return found


def volumes_at(history: History, place: int, step: int, volumes: Counts) -> Counts:
    """What a subject sent in each hour, of that only what counts at a step: since the fresh start that holds then."""
    now_ms = int(history.times_s[step]) * 1000
    held = [cut for cut in history.cuts.get(history.customers[place], ()) if cut.decided_ms <= now_ms]
    if not held:
        return volumes
    cut = held[-1]
    hour = (cut.since_s - history.start_s) // HOUR_S
    found = volumes.copy()
    found[: max(0, hour)] = 0
    partial = cut.partial.get((), {}).get(place)
    if partial is not None and hour >= 0:
        found[hour] -= finished(partial)
    return found
