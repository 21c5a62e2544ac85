"""What hits many customers together, with bought lists in the very hour: who is suspended for it, who is found.

Each scenario runs through the product with its store and a clock that is passed in, and through the same rules without
incidents, and with a guard of twelve lines: a provider-hour in which more than half of the customers with 20 or more
recipients there fail or are refused at 15 % or more is left out.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import time
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from benchmarks.stored import settings_in
from benchmarks.verdicts.fleet import (
    DAY,
    HOUR,
    LOOPED,
    MEASURES,
    PROVIDERS,
    Events,
    Fleet,
    Judged,
    Listed,
    Rates,
    address,
    evenly,
    history,
    judged,
)
from benchmarks.verdicts.product import Product, from_level
from benchmarks.verdicts.scenarios import BEGIN, HISTORY_DAYS, SCENARIOS, Scenario
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import open_store
from streams.judge.screen import screen
from streams.judge.verdict import judge
from streams.subjects.arrays import FIELD_INDEX, FIELDS, Subjects

#: The store's clock: so many days ago, since it forgets what is too old.
AGO_DAYS = 12
#: Most looks are when something moves: in the first hour, and where much is given up together, in the hours of that.
LOOKS = (
    *range(BEGIN + 60, BEGIN + 10 * 60, 60),
    *range(BEGIN + 10 * 60, BEGIN + 65 * 60, 300),
    *(BEGIN + minutes * 60 for minutes in (75, 90, 120, 180, 300, 420, 720)),
    *(BEGIN + hours * HOUR for hours in (24, 36, 48, 71, 75)),
    *(BEGIN + days * DAY for days in (4, 5, 7)),
)
LATE = tuple(BEGIN + 72 * HOUR + minutes * 60 for minutes in (5, 15, 30, 45, 60, 90, 120, 180, 240, 300))
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the good ones those whom a hook would suspend, and those who were accused but held; of the bad ones those who
    were found at all (held or not), and within the hour."""

    good: int
    suspended: int
    held: int
    bad: int
    found: int
    within_hour: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One scenario by the product, by the guard, and by the same rules without either."""

    name: str
    ours: Outcome
    guard: Outcome
    without: Outcome


def measure(ours: Product, seed: int, chosen: Sequence[str] = ()) -> Iterator[Compared]:
    """Every scenario, or those chosen, each as soon as it is measured."""
    with tempfile.TemporaryDirectory(prefix="repmon-verdicts-") as folder:
        for place, (name, make) in enumerate(SCENARIOS.items()):
            if chosen and name not in chosen:
                continue
            rng = np.random.default_rng([seed, crc32(name.encode())])
            scenario = make(rng)
            through = _through(settings_in(folder, f"verdicts{place}"), scenario)
            by_rules = [_judged(ours, scenario, guard=each) for each in (True, False)]
            guard, without = (_outcome(scenario, each, each) for each in by_rules)
            yield Compared(name, through, guard, without)


@dataclass(frozen=True, slots=True)
class Snowshoe:
    """Of small accounts on one pool that others use too, under From domains of their own or under one: after how many
    hours what they share was told to be excessive (nan if never), and how many of the good ones ever were."""

    one_domain: bool
    hours: float
    good: int
    suspended: int


def snowshoe(seed: int, *, one_domain: bool) -> Snowshoe:
    """30 accounts of 45 recipients a day, 12 % unknown, through the product with its store: looked at every half hour
    for two days. 20 good customers share the pool where the accounts share a domain."""
    fleet = Fleet(np.random.default_rng([seed, crc32(b"snowshoe"), one_domain]))
    good = fleet.add("good", 20, pool="theirs" if one_domain else "shared")
    a_day = np.exp(fleet.rng.uniform(np.log(50), np.log(5_000), 20))
    history(fleet, good, a_day, HISTORY_DAYS)
    history(fleet, good, a_day, 3, until=3 * DAY)
    bad = fleet.add("snow", 30, pool="theirs", domain="snow.example" if one_domain else "")
    evenly(fleet, bad, np.full(30, 45 / 24), 0, 2 * DAY, Rates(hard=0.12, block=0.05))
    with tempfile.TemporaryDirectory(prefix="repmon-verdicts-") as folder:
        found = _run(settings_in(folder, "snowshoe"), fleet, range(1_800, 2 * DAY, 1_800), pools=True)
    names = {fleet.names[each] for each in good.tolist()}
    first = [at for at, each in found.alerts if not each.customer and each.level in ("excessive", "critical")]
    hours = min(first) / HOUR if first else float("nan")
    return Snowshoe(one_domain, hours, len(good), len(names & found.suspended().keys()))


@dataclass(frozen=True, slots=True)
class MassListing:
    """Of `good` customers, each with an address of its own, a critical list names so many at once: how many a hook
    would suspend; and whether one whose address another list names alone is found."""

    good: int
    listed: int
    suspended: int
    alone_found: bool


def mass_listing(seed: int, listed: int, good: int) -> MassListing:
    """Through the product with its store: looked at every minute for ten, and then for a week."""
    fleet = Fleet(np.random.default_rng([seed, crc32(b"mass listing"), good]))
    who = fleet.add("good", good)
    a_day = np.exp(fleet.rng.uniform(np.log(300), np.log(20_000), good))
    history(fleet, who, a_day, 3)
    alone = fleet.add("alone", 1)
    history(fleet, alone, np.array([2_000.0]), 3)
    evenly(fleet, np.concatenate((who, alone)), np.append(a_day, 2_000.0) / 12, BEGIN - HOUR, BEGIN, Rates())
    listings = [
        Listed(BEGIN + 30, "bl.example", [address(each) for each in who[:listed].tolist()]),
        Listed(BEGIN + 90, "other.example", [address(int(alone[0]))]),
    ]
    looks = (*range(BEGIN + 60, BEGIN + 600, 60), *(BEGIN + hours * HOUR for hours in (1, 2, 6, 24, 72, 168)))
    with tempfile.TemporaryDirectory(prefix="repmon-verdicts-") as folder:
        suspended = _run(settings_in(folder, "mass_listing"), fleet, looks, listings).suspended()
    names = {fleet.names[each] for each in who.tolist()}
    return MassListing(good, listed, len(names & suspended.keys()), fleet.names[alone[0]] in suspended)


def _through(settings: ClickHouse, scenario: Scenario) -> Outcome:
    found = _run(settings, scenario.fleet, _looks(scenario))
    number = {name: place for place, name in enumerate(scenario.fleet.names)}
    accused, suspended = (
        {number[name]: at for name, at in some.items() if name} for some in (found.accused(), found.suspended())
    )
    return _outcome(scenario, accused, suspended)


def _run(
    settings: ClickHouse, fleet: Fleet, looks: Sequence[int], listed: Sequence[Listed] = (), *, pools: bool = False
) -> Judged:
    migrate(settings)
    store = open_store(settings)
    try:
        return judged(store, fleet, (int(time()) // DAY - AGO_DAYS) * DAY, looks, listed, pools=pools)
    finally:
        store.close()


def _looks(scenario: Scenario) -> Sequence[int]:
    return sorted({*LOOKS, *LATE}) if scenario.late else LOOKS


def _outcome(scenario: Scenario, accused: Mapping[int, int], suspended: Mapping[int, int]) -> Outcome:
    bad = [accused[each] for each in scenario.bad.tolist() if each in accused]
    good = scenario.good.tolist()
    return Outcome(
        good=len(good),
        suspended=sum(each in suspended for each in good),
        held=sum(each in accused and each not in suspended for each in good),
        bad=len(scenario.bad),
        found=len(bad),
        within_hour=sum(at <= BEGIN + HOUR for at in bad),
    )


def _judged(ours: Product, scenario: Scenario, *, guard: bool) -> dict[int, int]:
    """Who is suspended by the same rules at the same looks, without the product's incidents, and when first."""
    policy = from_level(ours.policy, "excessive")
    events, names = scenario.fleet.events(), scenario.fleet.names
    found: dict[int, int] = {}
    for at in _looks(scenario):
        known = events.rows(events.known <= at)
        if guard:
            known = known.rows(~_left_out(known, len(names)))
        counts = np.zeros((len(names), len(ours.windows), len(FIELDS)), np.int64)
        for place, length in enumerate(ours.windows.values()):
            within = known.rows(known.sent >= at - length // 1000)
            looped = within.rows(np.array(LOOPED)[within.provider])
            for prefix, some in (("", within), ("fbl_", looped)):
                for number, measure in enumerate(MEASURES):
                    if f"{prefix}{measure}" in FIELD_INDEX:
                        summed = np.bincount(some.customer, some.counts[:, number], len(names))
                        counts[:, place, FIELD_INDEX[f"{prefix}{measure}"]] = summed
        subjects = Subjects(list(names), ["customer"] * len(names), tuple(ours.windows), counts)
        for row in np.flatnonzero(screen(subjects, policy).remarkable).tolist():
            if row not in found and any(v.level != "good" for v in judge(subjects.one(row), policy, 0).verdicts):
                found[row] = at
    return found


def _left_out(events: Events, customers: int) -> Bools:
    """The guard: by what is known."""
    hour = events.sent // HOUR
    first = int(hour.min())
    shape = (int(hour.max()) - first + 1, len(PROVIDERS), customers)
    place = (hour - first, events.provider, events.customer)
    flat = np.ravel_multi_index(place, shape)
    total = np.bincount(flat, events.counts[:, :4].sum(axis=1), np.prod(shape)).reshape(shape)
    failed = np.bincount(flat, events.counts[:, 1:4].sum(axis=1), np.prod(shape)).reshape(shape)
    asked = total >= 20
    bad = asked & (failed >= 0.15 * total)
    hit = bad.sum(axis=2) * 2 > asked.sum(axis=2)
    return np.asarray(hit[place[0], place[1]])
