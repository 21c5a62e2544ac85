"""Who is bad, from chance: bought lists, stolen accounts, snowshoe, many accounts, complaints, slow poisoning and more.

Each is a person like the good ones whose rates are other ones, in the mail from a time on (`Spree`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log

import numpy as np

from benchmarks.verdicts.chance.people import AFTER_DAYS, HISTORY_DAYS, Company, Person, Stream, mixed
from benchmarks.verdicts.fleet import DAY, HOUR, PROVIDERS

#: Snowshoe accounts are seen together, by their pool or domain.
TOGETHER = "snowshoe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spree:
    """Bad mail of one customer (by its person, whose rates are those of that mail): so many recipients in each of the
    `slices`, spans of time in s after the beginning. `before` is what it was until then; None: nobody. `kind` is what
    the figures call it; `mild`: a warning is all that is due."""

    kind: str
    person: Person
    slices: tuple[tuple[int, int], ...]
    each: float
    before: Person | None = None
    poisoning: bool = False
    mild: bool = False

    @property
    def begins(self) -> int:
        """When the bad mail does."""
        return self.slices[0][0]


KINDS = (
    "bought list",
    "stolen account",
    TOGETHER,
    "many accounts",
    "complaints 0.5 %",
    "complaints 0.2 %",
    "one provider",
    "slow poisoning",
    "list washed in slices",
)


def sprees(
    rng: np.random.Generator, of: Company, kind: str, begin: int, good: Sequence[Person], place: str = ""
) -> Iterator[Spree]:
    """One abuser of a kind, whose bad mail begins about a time (s); `place` is the provider of who sends to one."""
    bad = _person(rng, of, f"bad-{kind.partition(' ')[0]}-{rng.integers(10**6):06}")
    minutes = float(rng.uniform(10, 60))
    rate = float(rng.choice([0.08, 0.12, 0.2]))
    match kind:
        case "bought list":
            size = exp(rng.uniform(log(1_000), log(30_000)))
            yield _spree(f"bought list of {rate:.0%}", replace(bad, hard=rate, block=0.03), begin, minutes, size)
        case "stolen account":
            at = begin if rng.random() < 0.5 else begin // DAY * DAY + 3 * HOUR + (DAY if begin % DAY > 3 * HOUR else 0)
            before = replace(bad, since=-HISTORY_DAYS * DAY, hard=0.004, block=0.002)
            stolen = replace(bad, hard=0.15, block=0.08, since=-HISTORY_DAYS * DAY)
            yield _spree(kind, stolen, at, minutes, exp(rng.uniform(log(1_000), log(20_000))), before=before)
        case "snowshoe":
            domain = f"{bad.name}.example" if rng.random() < 0.5 else ""
            for number in range(int(rng.integers(20, 41))):
                one = replace(bad, name=f"{bad.name}-{number:02}", hard=0.12, block=0.05, pool=f"{bad.name}-pool")
                one = replace(one, domain=domain or f"{one.name}.example", mix=mixed(rng, of))
                yield _spree(kind, one, begin, 48 * 60, 90)
        case "many accounts":
            old = bool(rng.random() < 0.5)
            for number in range(min(int(len(good) * rng.uniform(1.2, 2.5)) + 2, 120)):
                one = replace(bad, name=f"{bad.name}-{number:03}", hard=0.2, block=0.05, mix=mixed(rng, of))
                since = -HISTORY_DAYS * DAY if old and not of.first_day else begin
                one = replace(one, domain=f"{one.name}.example", a_day=120.0, since=since)
                usual = replace(one, hard=0.006, block=0.003) if since < begin else None
                yield _spree(f"{kind}, {'old' if usual else 'new'}", one, begin, minutes, 900, before=usual)
        case "complaints 0.5 %" | "complaints 0.2 %":
            worst = kind == "complaints 0.5 %"
            one = replace(bad, complained=0.005 if worst else 0.002, hard=0.004, block=0.002)
            day = 60_000.0 if worst else 120_000.0
            yield replace(_spree(kind, one, begin, 72 * 60, 3 * day), mild=not worst)
        case "one provider":
            mix = np.eye(len(PROVIDERS))[PROVIDERS.index(place or "gmail")]
            one = replace(bad, hard=0.15, block=0.1, mix=mix)
            yield _spree(kind, one, begin, minutes, exp(rng.uniform(log(1_500), log(20_000))))
        case "slow poisoning":
            one = replace(bad, hard=0.10, block=0.01, since=-HISTORY_DAYS * DAY)
            before = replace(one, hard=0.004)
            slices = tuple((begin + day * DAY, begin + day * DAY + 8 * HOUR) for day in range(AFTER_DAYS))
            yield Spree(kind=kind, person=one, slices=slices, each=4_000.0, before=before, poisoning=True)
        case "list washed in slices":
            one = replace(bad, hard=0.12, block=0.03)
            slices = tuple((begin + hours * 3 * HOUR, begin + hours * 3 * HOUR + 1_200) for hours in range(12))
            yield Spree(kind=kind, person=one, slices=slices, each=150.0)
        case _:
            raise ValueError(kind)


def _spree(kind: str, person: Person, begin: int, minutes: float, size: float, before: Person | None = None) -> Spree:
    return Spree(kind=kind, person=person, slices=((begin, begin + round(minutes * 60)),), each=size, before=before)


def _person(rng: np.random.Generator, of: Company, name: str) -> Person:
    a_day = exp(rng.uniform(log(100), log(3_000)))
    stream = Stream(name=0, a_day=a_day, rhythm="steady", hour=10.0, zone_h=0.0, weekend=1.0)
    return Person(
        name=name,
        good=False,
        a_day=a_day,
        hard=0.004,
        expired=0.001,
        block=0.002,
        complained=0.0002,
        shape=20.0,
        mix=mixed(rng, of),
        streams=(stream,),
        pool=str(rng.choice(np.array(of.pools))),
        domain=f"{name}.example",
        since=0,
        dated=bool(rng.random() < 0.75),
        gives_up_h=72.0,
        late=1.0,
    )
