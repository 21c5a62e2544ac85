"""What hits many customers together, from chance: at a provider, a pool, a list, or in the own network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import tau
from typing import Literal

import numpy as np

from benchmarks.verdicts.chance.people import Person
from benchmarks.verdicts.fleet import DAY, HOUR, PROVIDERS
from benchmarks.verdicts.mail import Ints, Numbers

#: `listed`: no outcome of mail; addresses that a critical list names.
Outcome = Literal["hard", "block", "expired", "complained", "listed"]
#: Those that an incident can be of; `other` is no provider.
NAMED = tuple(place for place, name in enumerate(PROVIDERS) if name != "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """From and to (s after the beginning) the rate at some providers (by place) is `rate` more, by the share of the
    time that is over; of one pool alone where it has one. `batch_h`: complaints about the hours before `begins` that
    are `known` at one moment, at that rate. What expires is known at that moment too, where there is one. `listed`: of
    the addresses (those of the pool, where it has one) such a share is named by a critical list at `begins`. `again`:
    it strikes a second time or later."""

    what: str
    begins: int
    ends: int
    places: tuple[int, ...]
    outcome: Outcome
    rate: Callable[[Numbers], Numbers]
    pool: str = ""
    batch_h: float = 0.0
    known: int = 0
    listed: float = 0.0
    again: bool = False

    @property
    def together(self) -> bool:
        """Whether what is given up is known at one moment."""
        return self.outcome == "expired" and self.known > 0


class Shaped:
    """One mishap at the mail of one customer: rates by time and provider."""

    def __init__(self, mishap: Mishap, at: Ints, person: Person) -> None:
        self.mishap = mishap
        here = np.isin(np.arange(len(PROVIDERS)), mishap.places) & (mishap.pool in ("", person.pool))
        through = (at - mishap.begins) / max(mishap.ends - mishap.begins, 1)
        during = (at >= mishap.begins) & (at < mishap.ends)
        rate = np.where(during, mishap.rate(through.astype(np.float64)), 0.0)
        both = rate[:, None] * here
        nothing = np.zeros_like(both)
        at_once = bool(mishap.batch_h) or mishap.together
        self.rate: Numbers = nothing if at_once else both
        self.batch: Numbers = both if at_once else nothing


def constant(rate: float) -> Callable[[Numbers], Numbers]:
    """The same all the time."""
    return lambda through: np.full(len(through), rate)


def rising(least: float, most: float) -> Callable[[Numbers], Numbers]:
    """From one rate to another, evenly."""
    return lambda through: least + (most - least) * through


def twice(rate: float) -> Callable[[Numbers], Numbers]:
    """In the first and in the last third."""
    return lambda through: np.where((through < 1 / 3) | (through >= 2 / 3), rate, 0.0)


def waves(rate: float, times: int) -> Callable[[Numbers], Numbers]:
    """It comes and goes."""
    return lambda through: np.where(np.sin(tau * times * through) > 0, rate, 0.0)


def mishaps_at(rng: np.random.Generator, begin: int, kind: str, pools: tuple[str, ...]) -> list[Mishap]:
    """One kind of them, about a time (s)."""
    return list(_SEVERAL[kind](rng, begin, pools)) if kind in _SEVERAL else [_MAKE[kind](rng, begin, pools)]


def _some_provider(rng: np.random.Generator) -> tuple[int, ...]:
    return (int(rng.choice(NAMED, p=np.array([0.4, 0.25, 0.2, 0.15]))),)


def _some_outcome(rng: np.random.Generator) -> Outcome:
    found: tuple[Outcome, ...] = ("hard", "block", "expired")
    return found[int(rng.integers(3))]


def _some_hours(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(0.3), np.log(8))))


def _outage(rng: np.random.Generator, begin: int, _pools: tuple[str, ...], least: float = 0.9) -> Mishap:
    places, outcome, hours = _some_provider(rng), _some_outcome(rng), _some_hours(rng)
    rate = float(rng.uniform(least, 1.0 if least > 0.5 else 0.6))
    what = f"{PROVIDERS[places[0]]} {outcome} {rate:.0%} for {hours:.1f} h"
    ends = begin + round(hours * HOUR)
    return Mishap(what=what, begins=begin, ends=ends, places=places, outcome=outcome, rate=constant(rate))


def _partial(rng: np.random.Generator, begin: int, pools: tuple[str, ...]) -> Mishap:
    return _outage(rng, begin, pools, 0.15)


def _slow_death(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    places, outcome = _some_provider(rng), _some_outcome(rng)
    what = f"{PROVIDERS[places[0]]} {outcome} rises to 60 % in 6 h"
    return Mishap(
        what=what, begins=begin, ends=begin + 6 * HOUR, places=places, outcome=outcome, rate=rising(0.05, 0.6)
    )


def _twice(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    places = _some_provider(rng)
    what = f"{PROVIDERS[places[0]]} refuses twice within 3 h"
    return Mishap(what=what, begins=begin, ends=begin + 3 * HOUR, places=places, outcome="hard", rate=twice(1.0))


def _flapping(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    places = _some_provider(rng)
    what = f"{PROVIDERS[places[0]]} blocks 12 times within 4 h"
    return Mishap(what=what, begins=begin, ends=begin + 4 * HOUR, places=places, outcome="block", rate=waves(0.8, 12))


def _two(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    places = tuple(rng.choice(NAMED, 2, replace=False).tolist())
    hours = _some_hours(rng)
    what = f"{PROVIDERS[places[0]]} and {PROVIDERS[places[1]]} refuse for {hours:.1f} h"
    ends = begin + round(hours * HOUR)
    return Mishap(what=what, begins=begin, ends=ends, places=places, outcome="hard", rate=constant(1.0))


def _others(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    places, rate = (PROVIDERS.index("other"),), float(rng.uniform(0.2, 0.5))
    what = f"{rate:.0%} of what the table of providers does not know is refused for an hour"
    return Mishap(what=what, begins=begin, ends=begin + HOUR, places=places, outcome="hard", rate=constant(rate))


def _own_network(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    outcome: Outcome = "hard" if rng.random() < 0.5 else "expired"
    rate, hours = float(rng.uniform(0.3, 1.0)), _some_hours(rng)
    what = f"all mail {outcome} {rate:.0%} for {hours:.1f} h"
    ends, places = begin + round(hours * HOUR), tuple(range(len(PROVIDERS)))
    return Mishap(what=what, begins=begin, ends=ends, places=places, outcome=outcome, rate=constant(rate))


def _pool(rng: np.random.Generator, begin: int, pools: tuple[str, ...]) -> Mishap:
    pool, places = str(rng.choice(np.array(pools))), _some_provider(rng)
    what = f"{pool} blocked at {PROVIDERS[places[0]]} for 2 h"
    ends = begin + 2 * HOUR
    return Mishap(what=what, begins=begin, ends=ends, places=places, outcome="block", rate=constant(0.9), pool=pool)


def _complaints(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    days = int(rng.integers(1, 6))
    return Mishap(
        what=f"complaints of {days} days at once",
        begins=begin - days * DAY,
        ends=begin,
        places=(PROVIDERS.index(("yahoo", "microsoft")[int(rng.integers(2))]),),
        outcome="complained",
        rate=constant(0.01),
        batch_h=days * 24.0,
        known=begin,
    )


def _together(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    """What is deferred for hours, and given up all at once a day or more later."""
    places, hours, rate = _some_provider(rng), float(rng.uniform(1, 8)), float(rng.uniform(0.3, 1.0))
    ends = begin + round(hours * HOUR)
    known = ends + round(float(rng.uniform(12, 60)) * HOUR)
    what = f"{rate:.0%} at {PROVIDERS[places[0]]} deferred for {hours:.1f} h, given up together at {known / HOUR:.0f} h"
    return Mishap(
        what=what, begins=begin, ends=ends, places=places, outcome="expired", rate=constant(rate), known=known
    )


def _mass_listing(rng: np.random.Generator, begin: int, _pools: tuple[str, ...]) -> Mishap:
    share = float(rng.uniform(0.25, 1.0))
    return _listing(f"a list names {share:.0%} of the addresses", begin, share)


def _listing(what: str, begin: int, share: float, pool: str = "") -> Mishap:
    return Mishap(
        what=what,
        begins=begin,
        ends=begin + 12 * HOUR,
        places=(),
        outcome="listed",
        rate=constant(0.0),
        listed=share,
        pool=pool,
    )


def _again(rng: np.random.Generator, begin: int, pools: tuple[str, ...]) -> Iterator[Mishap]:
    """One provider, and the same a day or more later, once or twice."""
    first = _outage(rng, begin, pools, 0.15 if rng.random() < 0.5 else 0.9)
    yield first
    at = begin
    for _ in range(int(rng.integers(1, 3))):
        at += round(float(rng.uniform(20, 44)) * HOUR)
        yield replace(
            first, again=True, what=f"again at {at / HOUR:.0f} h", begins=at, ends=at + first.ends - first.begins
        )


def _pool_of_an_abuser(rng: np.random.Generator, begin: int, pools: tuple[str, ...]) -> Iterator[Mishap]:
    """A pool is listed, and refused in part at a provider, because of one who sends through it (see `trial`)."""
    pool, places, rate = str(rng.choice(np.array(pools))), _some_provider(rng), float(rng.uniform(0.3, 0.9))
    ends = begin + round(float(rng.uniform(1, 6)) * HOUR)
    what = f"{pool} refused at {PROVIDERS[places[0]]} at {rate:.0%} because of an abuser"
    yield Mishap(what=what, begins=begin, ends=ends, places=places, outcome="block", rate=constant(rate), pool=pool)
    yield _listing(f"{pool} listed", begin, 1.0, pool)


_MAKE: dict[str, Callable[[np.random.Generator, int, tuple[str, ...]], Mishap]] = {
    "outage": _outage,
    "partial": _partial,
    "slow death": _slow_death,
    "twice": _twice,
    "flapping": _flapping,
    "two providers": _two,
    "others": _others,
    "own network": _own_network,
    "pool": _pool,
    "complaints": _complaints,
}
#: Those that trials were made of at first: seeds repeat them.
FIRST_KINDS = tuple(_MAKE)
_MAKE |= {"given up together": _together, "mass listing": _mass_listing}
OF_AN_ABUSER = "pool of an abuser"
_SEVERAL: dict[str, Callable[[np.random.Generator, int, tuple[str, ...]], Iterator[Mishap]]] = {
    "again": _again,
    OF_AN_ABUSER: _pool_of_an_abuser,
}
KINDS = (*_MAKE, *_SEVERAL)
