"""Senders who fail at the same rate all the time: how many near a threshold are ever flagged, how soon those above are.

Volumes until found are medians of senders who begin at that rate, and of those who turn after a good month.
"""

from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import NamedTuple
from zlib import crc32

import numpy as np

from benchmarks.verdicts.mail import Mail, Rates, joined, outcomes, steadily
from benchmarks.verdicts.product import Product
from benchmarks.verdicts.rivals import FORMERLY
from schemas.levels import Level

DAYS, STEP_MIN = 30, 5
MONTH = DAYS * 1440 // STEP_MIN
#: Parts of a threshold at which hardly anybody may be flagged, and those at which everybody should be.
BELOW, ABOVE = (0.5, 0.8, 0.9), (1.3, 2.0)
#: What a sender who turns was like before, times the threshold.
GOOD = 0.3
VOLUMES = (300, 3_000, 30_000)


class Threshold(NamedTuple):
    """One that is judged: of which metric, at which rate (a ratio), for which level; and its place for the rivals."""

    metric: str
    rate: float
    level: Level
    place: int


THRESHOLDS = (
    Threshold("failure", 0.03, "warning", 0),
    Threshold("failure", 0.05, "excessive", 1),
    Threshold("complaint", 0.001, "warning", 0),
    Threshold("complaint", 0.003, "excessive", 1),
    Threshold("block", 0.10, "warning", 0),
)


@dataclass(frozen=True, slots=True)
class Flagged:
    """Of `senders` at `times` a threshold, how many were flagged at any time of the second of two months."""

    threshold: Threshold
    a_day: int
    times: float
    senders: int
    ours: int
    formerly: int


@dataclass(frozen=True, slots=True)
class Until:
    """The median of recipients that were sent until somebody above a threshold is seen; inf where most are not within
    30 days. `turned`: after a good month."""

    threshold: Threshold
    a_day: int
    times: float
    turned: bool
    senders: int
    ours: float
    formerly: float


def shares(ours: Product, senders: int, seed: int) -> list[Flagged]:
    """Who is flagged below a threshold."""
    found = []
    for threshold, a_day, times in product(THRESHOLDS, VOLUMES, BELOW):
        flagged = formerly = 0
        for number in range(senders):
            rng = _rng(seed, "below", threshold, a_day, times, number)
            mail = _mail(rng, threshold, a_day, times, 2 * DAYS)
            flagged += ours.first(ours.looked(mail), threshold.level, MONTH) is not None
            formerly += bool(FORMERLY.flagged(mail, threshold.place)[MONTH:].any())
        found.append(Flagged(threshold, a_day, times, senders, flagged, formerly))
    return found


def volumes(ours: Product, senders: int, seed: int) -> list[Until]:
    """How much is sent until somebody above a threshold is seen."""
    found = []
    for threshold, a_day, times, turned in product(THRESHOLDS, VOLUMES, ABOVE, (False, True)):
        by_us, formerly = [], []
        for number in range(senders):
            rng = _rng(seed, "above", threshold, a_day, times, number)
            mail = _mail(rng, threshold, a_day, times, DAYS)
            begin = MONTH if turned else 0
            if turned:
                before = _mail(rng, threshold, a_day, GOOD, DAYS)
                mail = joined(_moved(before, 0, MONTH), _moved(mail, MONTH, 0))
            sent = np.cumsum(mail.sent[begin:])
            flag = ours.first(ours.looked(mail), threshold.level, begin)
            by_us.append(float(sent[flag.step - begin]) if flag else np.inf)
            steps = np.flatnonzero(FORMERLY.flagged(mail, threshold.place)[begin:])
            formerly.append(float(sent[steps[0]]) if len(steps) else np.inf)
        found.append(Until(threshold, a_day, times, turned, senders, median(by_us), median(formerly)))
    return found


def _mail(rng: np.random.Generator, threshold: Threshold, a_day: float, times: float, days: int) -> Mail:
    rate = threshold.rate * times
    rates = Rates(
        hard=rate if threshold.metric == "failure" else 0.0,
        expired=0.0,
        block=rate if threshold.metric == "block" else 0.0,
        complained=rate if threshold.metric == "complaint" else 0.0,
        looped=1.0 if threshold.metric == "complaint" else 0.3,
    )
    return outcomes(rng, steadily(rng, a_day, days, STEP_MIN), rates, STEP_MIN, dated=True)


def _moved(mail: Mail, before: int, behind: int) -> Mail:
    """With so many empty steps before and behind."""
    prompt = np.pad(mail.prompt, ((0, 0), (before, behind)))
    late = mail.late
    return Mail(mail.step_min, prompt, type(late)(late.kind, late.sent + before, late.seen + before, late.n), True)


def _rng(seed: int, what: str, *parts: object) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(repr((what, *parts)).encode())])
