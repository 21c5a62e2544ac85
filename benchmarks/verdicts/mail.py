"""Mail of one sender: when it was sent, what became of it, and when that was known. In steps of a few minutes."""

from dataclasses import dataclass
from math import exp, log, tau

import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts import parameters as p
from benchmarks.verdicts.parameters import Sending, Size

Numbers = NDArray[np.float64]
Ints = NDArray[np.int64]
#: What is counted. `looped` are deliveries at providers with a feedback loop, `late_hard` failures after a delivery.
DELIVERED, HARD, BLOCK, LOOPED, LATE_HARD, EXPIRED, COMPLAINED = range(7)
KINDS = 7
DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Late:
    """Outcomes that are known later: of which kind, of mail sent at which step, known at which, how many."""

    kind: Ints
    sent: Ints
    seen: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class Mail:
    """`prompt` has the axes kind and step. Not `dated`: nobody can say of a late outcome what mail it is of."""

    step_min: int
    prompt: Ints
    late: Late
    dated: bool

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return int(self.prompt.shape[1])

    @property
    def sent(self) -> Ints:
        """Recipients by the step of sending."""
        total: Ints = self.prompt[[DELIVERED, HARD, BLOCK]].sum(axis=0)
        for kind in (DELIVERED, EXPIRED):
            chosen = self.late.kind == kind
            total = total + np.bincount(self.late.sent[chosen], self.late.n[chosen], self.steps).astype(np.int64)
        return total


@dataclass(frozen=True, slots=True)
class Rates:
    """True rates (ratios) of one sender; complaints are of deliveries at providers with a feedback loop, of which
    `looped` is the share of all. With `jitter` those of each day differ (standard deviation of the logarithm)."""

    hard: float
    expired: float
    block: float
    complained: float
    looped: float
    jitter: float = 0.0


def good_rates(rng: np.random.Generator, jitter: float) -> Rates:
    """Of a clearly good sender: each at most half of the mildest threshold."""
    failing = below(rng, p.FAILING, p.FAILING_SPREAD, p.MOST_FAILING)
    expiring = rng.uniform(*p.EXPIRING)
    return Rates(
        hard=failing * (1 - expiring),
        expired=failing * expiring,
        block=below(rng, p.BLOCKED, p.BLOCKED_SPREAD, p.MOST_BLOCKED),
        complained=below(rng, p.COMPLAINING, p.COMPLAINING_SPREAD, p.MOST_COMPLAINING),
        looped=float(rng.beta(*p.LOOPED_SHARE)),
        jitter=jitter,
    )


def below(rng: np.random.Generator, median: float, spread: float, most: float) -> float:
    """A log-normal rate, drawn again while it is above the most."""
    while True:
        drawn = median * exp(spread * rng.standard_normal())
        if drawn <= most:
            return drawn


def volume_of(rng: np.random.Generator, size: Size) -> float:
    """Recipients a month, evenly by their logarithm."""
    return exp(rng.uniform(log(size.least), log(size.most)))


def sent_by(rng: np.random.Generator, sending: Sending, a_month: float, days: int, step_min: int) -> Ints:
    """Recipients by step of a sender of so many a month."""
    if sending == "steady":
        return steadily(rng, a_month / 30, days, step_min)
    besides = rng.uniform(0, p.MOST_BESIDES) if rng.random() < 0.5 else 0.0
    sent = steadily(rng, a_month * besides / 30, days, step_min)
    every = {"daily": 1, "weekly": 7, "monthly": 30}[sending]
    size = a_month * (1 - besides) * every / 30
    hour = rng.uniform(6, 20)
    first = int(rng.integers(every))
    for day in range(first, days, every):
        begin = int((day * DAY_MIN + hour * 60 + rng.normal(0, 10)) // step_min)
        length = max(1, round(rng.uniform(*p.MAILING_MIN) / step_min))
        recipients = rng.poisson(size * exp(p.VOLUME_JITTER * rng.standard_normal()))
        steps = slice(max(0, begin), min(begin + length, len(sent)))
        if (within := steps.stop - steps.start) > 0:
            sent[steps] += rng.multinomial(recipients, np.full(within, 1 / within))
    return sent


def steadily(rng: np.random.Generator, a_day: float, days: int, step_min: int) -> Ints:
    """Recipients by step of who sends all day, more by day than by night."""
    of_day = np.arange(0, DAY_MIN, step_min)
    curve = 1 - p.DAY_SWING * np.cos(tau * (of_day / DAY_MIN - rng.uniform(-0.05, 0.05)))
    return rng.poisson(np.tile(curve / curve.sum() * a_day, days))


def outcomes(rng: np.random.Generator, sent: Ints, rates: Rates, step_min: int, *, dated: bool) -> Mail:
    """What became of the recipients of each step."""
    days = -(-len(sent) * step_min // DAY_MIN)
    per_day = DAY_MIN // step_min

    def by_step(rate: float) -> Numbers:
        drawn = rng.standard_normal(days) * rates.jitter - rates.jitter**2 / 2
        return np.repeat(np.minimum(rate * np.exp(drawn), 0.95), per_day)[: len(sent)]

    hard = rng.binomial(sent, by_step(rates.hard))
    left = sent - hard
    block = rng.binomial(left, by_step(rates.block))
    left -= block
    expired = rng.binomial(left, by_step(rates.expired))
    delivered = left - expired
    asynchronous = rng.binomial(hard, p.LATE_HARD)
    delivered += asynchronous
    looped = rng.binomial(delivered, rates.looped)
    complained = rng.binomial(looped, by_step(rates.complained))
    deferred = rng.binomial(delivered, p.DEFERRED)
    deferred_looped = rng.binomial(np.minimum(deferred, looped), rates.looped)
    prompt = np.zeros((KINDS, len(sent)), np.int64)
    prompt[DELIVERED], prompt[HARD], prompt[BLOCK] = delivered - deferred, hard - asynchronous, block
    prompt[LOOPED] = looped - deferred_looped
    parts = [
        _late(rng, LATE_HARD, asynchronous, step_min, p.LATE_HARD_H, p.LATE_HARD_SPREAD),
        _late(rng, EXPIRED, expired, step_min, p.EXPIRED_H, 0.01),
        _late(rng, COMPLAINED, complained, step_min, p.COMPLAINED_H, p.COMPLAINED_SPREAD),
    ]
    again = np.maximum(1, np.round(rng.exponential(p.DEFERRED_MIN / step_min, len(sent)))).astype(np.int64)
    steps = np.arange(len(sent))
    for kind, some in ((DELIVERED, deferred), (LOOPED, deferred_looped)):
        (at,) = np.nonzero(some)
        parts.append(Late(np.full(len(at), kind), steps[at], at + again[at], some[at]))
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ("kind", "sent", "seen", "n")]
    seen = joined[2] < len(sent)
    return Mail(step_min, prompt, Late(*(each[seen] for each in joined)), dated)


def _late(rng: np.random.Generator, kind: int, n: Ints, step_min: int, median_h: float, spread: float) -> Late:
    sent = np.repeat(np.arange(len(n)), n)
    lag = median_h * 60 / step_min * np.exp(spread * rng.standard_normal(len(sent)))
    seen = sent + np.maximum(1, lag).astype(np.int64)
    return Late(np.full(len(sent), kind), sent, seen, np.ones(len(sent), np.int64))


def joined(first: Mail, second: Mail) -> Mail:
    """Mail of one sender of two kinds together."""
    late = (
        np.concatenate([getattr(each.late, name) for each in (first, second)]) for name in ("kind", "sent", "seen", "n")
    )
    return Mail(first.step_min, first.prompt + second.prompt, Late(*late), first.dated)
