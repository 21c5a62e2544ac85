"""Customers from chance: how large, how old, what they send when, and how good they are.

Every true rate of a good one is at most half of the mildest threshold (`parameters`, with sources); a mailing's own
rate is that times a gamma variable with mean 1, so one in some is three times as bad. What is drawn here besides is
assumed: nobody publishes it.
"""

from dataclasses import dataclass
from math import exp, log, tau
from typing import Literal

import numpy as np

from benchmarks.verdicts import parameters as p
from benchmarks.verdicts.fleet import DAY, HOUR, PROVIDERS, SHARES
from benchmarks.verdicts.mail import Ints, Numbers, below

#: Recipients a month, from and to.
LEAST, MOST = 20.0, 2_000_000.0
HISTORY_DAYS = 30
#: Trials go on for so many days after their beginning.
AFTER_DAYS = 5
STREAMS = ("news", "receipts", "offers")
Rhythm = Literal["steady", "daily", "weekly", "monthly"]
RHYTHMS: tuple[Rhythm, ...] = ("steady", "daily", "weekly", "monthly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Mail of one kind: recipients a day on average, and when. `zone_h` moves the day, `weekend` is the volume of
    Saturday and Sunday as a ratio, `bad_morning` the chance that a mailing is twice as bad."""

    name: int
    a_day: float
    rhythm: Rhythm
    hour: float
    zone_h: float
    weekend: float
    #: An old segment, once a month, whose mail fails so often (a ratio); 0: none.
    old_segment: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer. `shape` is that of the gamma distribution of its mailings; `dated`: its formats say when mail was
    sent; `since` is its first second after the trial's beginning, negative."""

    name: str
    good: bool
    a_day: float
    hard: float
    expired: float
    block: float
    complained: float
    shape: float
    mix: Numbers
    streams: tuple[Stream, ...]
    pool: str
    domain: str
    since: int
    dated: bool
    gives_up_h: float
    #: Late outcomes come so many times later than usual.
    late: float


@dataclass(frozen=True, slots=True)
class Company:
    """What all customers of a platform have in common."""

    mix: Numbers
    mixed: float
    pools: tuple[str, ...]
    first_day: bool
    size: float
    spread: float


def company(rng: np.random.Generator, *, first_day: bool | None = None) -> Company:
    """A platform: which providers its mail goes to, how large its customers are, and whether it is new."""
    shares = np.array(list(SHARES.values()))
    if rng.random() < 0.2:
        # Of business mail, or of another country: another provider is the largest.
        shares = rng.permutation(shares)
    return Company(
        mix=rng.dirichlet(shares * 60),
        mixed=float(rng.choice([4.0, 12.0, 40.0])),
        pools=tuple(f"shared-{place}" for place in range(int(rng.integers(1, 4)))),
        first_day=bool(rng.random() < 0.08) if first_day is None else first_day,
        size=exp(rng.uniform(log(3_000), log(80_000))),
        spread=float(rng.uniform(1.0, 2.2)),
    )


def good_ones(rng: np.random.Generator, of: Company, number: int) -> list[Person]:
    """So many good customers; in one platform of seven one of them sends four fifths of all mail."""
    found = [_good(rng, of, f"good{place:03}") for place in range(number)]
    if number > 1 and rng.random() < 1 / 7:
        all_others = sum(each.a_day for each in found[1:])
        found[0] = _good(rng, of, "good000", a_month=min(4 * all_others * 30, 10 * MOST))
    return found


def _good(rng: np.random.Generator, of: Company, name: str, a_month: float | None = None) -> Person:
    if a_month is None:
        a_month = min(max(of.size * exp(of.spread * rng.standard_normal()), LEAST), MOST)
    failing = below(rng, p.FAILING, p.FAILING_SPREAD, p.MOST_FAILING)
    if rng.random() < 0.15:
        failing = rng.uniform(0.8, 1.0) * p.MOST_FAILING
    expiring = rng.uniform(*p.EXPIRING)
    streams = _streams(rng, a_month / 30, failing)
    age = HISTORY_DAYS if rng.random() < 0.75 else rng.uniform(0.5, 20)
    dedicated = rng.random() < 0.3
    return Person(
        name=name,
        good=True,
        a_day=a_month / 30,
        hard=failing * (1 - expiring),
        expired=failing * expiring,
        block=below(rng, p.BLOCKED, p.BLOCKED_SPREAD, p.MOST_BLOCKED),
        complained=below(rng, p.COMPLAINING, p.COMPLAINING_SPREAD, p.MOST_COMPLAINING),
        shape=float(rng.choice([2.0, 5.0, 20.0])),
        mix=mixed(rng, of),
        streams=streams,
        pool=f"own-{name}" if dedicated else str(rng.choice(np.array(of.pools))),
        domain="agency.example" if rng.random() < 0.05 else f"{name}.example",
        since=0 if of.first_day else -round(age * DAY),
        dated=bool(rng.random() < 0.75),
        gives_up_h=float(rng.choice([24.0, 48.0, 72.0, 120.0])),
        late=float(rng.choice([1.0, 1.0, 3.0])),
    )


def mixed(rng: np.random.Generator, of: Company) -> Numbers:
    """A customer's own shares of the providers; one in thirty sends to one provider alone."""
    if rng.random() < 1 / 30:
        alone: Numbers = np.eye(len(PROVIDERS))[int(rng.integers(len(PROVIDERS)))]
        return alone
    return np.asarray(rng.dirichlet(np.maximum(of.mix * of.mixed, 0.02)))


def _streams(rng: np.random.Generator, a_day: float, failing: float) -> tuple[Stream, ...]:
    number = int(rng.choice([1, 1, 1, 2, 3]))
    parts = rng.dirichlet(np.full(number, 2.0))
    zone = float(rng.choice([0.0, -8.0, 5.5, 9.0]))
    found = []
    for place, part in enumerate(parts.tolist()):
        # An old segment of a tenth of the mail that fails at 3 % leaves the month below the half.
        old = 0.03 if place == 0 and failing < 0.8 * p.MOST_FAILING and rng.random() < 0.15 else 0.0
        rhythm = RHYTHMS[int(rng.integers(len(RHYTHMS)))]
        hour, weekend = float(rng.uniform(6, 20)), float(rng.choice([1.0, 0.3, 0.05]))
        one = Stream(
            name=place, a_day=a_day * part, rhythm=rhythm, hour=hour, zone_h=zone, weekend=weekend, old_segment=old
        )
        found.append(one)
    return tuple(found)


def volumes(rng: np.random.Generator, stream: Stream, since: int, begins: Ints, lengths: Ints) -> Numbers:
    """The expected recipients of one stream in spans of time (s after the beginning)."""
    middle = begins + lengths / 2
    local = (middle + stream.zone_h * HOUR) / DAY
    weekday = np.floor(local).astype(np.int64) % 7
    factor = np.where(weekday >= 5, stream.weekend, 1.0) / ((5 + 2 * stream.weekend) / 7)
    if stream.rhythm == "steady":
        curve = 1 - 0.7 * np.cos(tau * (local % 1 - 0.1))
        found = stream.a_day * lengths / DAY * curve * factor
    else:
        found = np.zeros(len(begins))
        every = {"daily": 1, "weekly": 7, "monthly": 30}[stream.rhythm]
        first = -HISTORY_DAYS + int(rng.integers(every))
        for day in range(first, AFTER_DAYS + 1, every):
            at = day * DAY + (stream.hour - stream.zone_h + rng.normal(0, 0.3)) * HOUR
            takes = rng.uniform(15, 180) * 60
            overlap = np.clip(np.minimum(begins + lengths, at + takes) - np.maximum(begins, at), 0, None)
            size = stream.a_day * every * exp(0.3 * rng.standard_normal() - 0.045)
            found += overlap / takes * size * (factor if every == 1 else 1.0)
    sent: Numbers = np.where(begins >= since, found, 0.0)
    return sent
