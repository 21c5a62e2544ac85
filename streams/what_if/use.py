"""What acceptable use is judged by at each step, as `streams.windows.acceptable_use` fills it in; mail to telephones
and from unregistered domains is among the counts. Pure."""

from collections.abc import Sequence

import numpy as np

from schemas.counts import REPORTED_OF
from schemas.policy_metric import NEW_AFTER_S, NEW_FROM, REPORTED_SPAM, window_ms
from schemas.policy_rule import Rule
from schemas.scope import CUSTOMER
from streams.subjects.arrays import FIELD_INDEX, Counts
from streams.subjects.reported import OF, RATE
from streams.subjects.scopes import scopes_of
from streams.what_if.listed import since_at
from streams.what_if.timeline import DomainUse, History, Steps


def add_use(found: Counts, history: History, place: int, rule: Rule, longest_s: int) -> None:
    """Fill in the mail that people had refused, the new From domains and the reported rates of one subject. `longest_s`
    is the length of the longest window read."""
    customer, scope = history.customers[place], history.scopes[place]
    times, since = history.times_s, since_at(history, customer)
    begins = [np.maximum(times - window_ms(window) // 1000, since) for window in rule.windows]
    if rule.metric == "unwanted":
        for mail in history.unwanted.get(customer, ()):
            if scope in scopes_of(mail.stream):
                reported = np.array(mail.times_s, np.int64)
                for column, begin in enumerate(begins):
                    # The latest time before the step tells whether any lies in the window.
                    last = np.searchsorted(reported, times) - 1
                    inside = (last >= 0) & (reported[np.maximum(last, 0)] >= begin)
                    found[:, column, FIELD_INDEX["unwanted"]] += inside
    if rule.metric == REPORTED_SPAM and scope == CUSTOMER:
        for day in history.reported.get(customer, ()):
            for column, window in enumerate(rule.windows):
                inside = (times - window_ms(window) // 1000 <= day.ended_s) & (day.ended_s <= times)
                inside &= day.began_s >= since
                found[inside, column, RATE] = np.maximum(found[inside, column, RATE], day.parts)
                found[inside, column, OF] = REPORTED_OF
    if rule.metric == NEW_FROM:
        _add_new_domains(found, history, customer, scope, begins, rule.least_new, longest_s)


def _add_new_domains(
    found: Counts,
    history: History,
    customer: str,
    scope: str,
    begins: Sequence[Steps],
    least: int,
    longest_s: int,
) -> None:
    times = history.times_s
    domains = history.domains.get(customer, ())
    firsts = [_first(each, times, longest_s) for each in domains]
    if not firsts:
        return
    began = np.min(firsts, axis=0)
    for each, first in zip(domains, firsts, strict=True):
        sent = {stream: _sent(each, mail, times, longest_s) for stream, mail in each.mail.items()}
        streams = list(sent)
        mail = np.stack([sent[stream] for stream in streams])
        most = mail.argmax(axis=0)
        its = np.array([scope in scopes_of(stream) for stream in streams])[most]
        for column, begin in enumerate(begins):
            new = (began < begin) & (begin <= first) & (first < times) & (mail.sum(axis=0) >= least) & its
            found[:, column, FIELD_INDEX["new_from_domains"]] += new


def _first(use: DomainUse, times: Steps, longest_s: int) -> Steps:
    """Of each step, the first minute with mail in what is looked at; the step itself where there is none."""
    place = np.searchsorted(use.hours, times - longest_s - NEW_AFTER_S)
    known = place < len(use.hours)
    first = np.where(known, use.first_s[np.minimum(place, len(use.hours) - 1)], times)
    found: Steps = np.minimum(first, times)
    return found


def _sent(use: DomainUse, mail: Counts, times: Steps, longest_s: int) -> Counts:
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(mail)))
    first = np.searchsorted(use.hours, times - longest_s - NEW_AFTER_S)
    last = np.searchsorted(use.hours, times)
    found: Counts = total[last] - total[np.minimum(first, last)]
    return found
