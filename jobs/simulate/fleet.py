"""Who sends: customers with volumes, streams, addresses and behaviour, all drawn from one seed. Pure."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from jobs.simulate.profiles import (
    MailboxDomain,
    NameParts,
    Profile,
    Profiles,
    RateRanges,
    SimulationError,
    load_profiles,
)
from jobs.simulate.trouble import Trouble
from schemas.event import StreamClass
from schemas.listing import Weight

ZIPF_EXPONENT = 1.1
#: The part of the fleet, largest first, that sends from addresses of its own.
DEDICATED_SHARE = 0.08
CUSTOMERS_PER_SHARED_POOL = 25
SHARED_POOL_IPS = 4
#: At most one customer in this many misbehaves or is sloppy, however small the fleet.
MOST_NOT_GOOD = 3
#: 198.18.0.0/15, set apart for benchmarks (RFC 2544, RFC 6890): no such address sends mail.
FIRST_IP = IPv4Address("198.18.0.1")
MOST_CUSTOMERS = 20_000

CRITICAL_ZONE = "sbl.example"
MINOR_ZONE = "dnsbl-minor.example"

_CAMPAIGNS = ("welcome", "weekly", "spring-sale", "win-back", "digest", "launch")


@dataclass(frozen=True, slots=True)
class OutcomeRates:
    """One customer's rates as ratios. The meaning of each is explained in `profiles.toml`."""

    hard: float
    soft: float
    block: float
    expired: float
    suppressed: float
    rejected: float
    deferral: float
    complaint: float
    report: float
    unsubscribe: float
    late_bounce: float


@dataclass(frozen=True, slots=True)
class MailStream:
    """One stream of a customer; `share` is its part of the customer's mail."""

    name: str
    stream_class: StreamClass
    share: float
    from_domain: str
    campaign: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Addresses that send together."""

    name: str
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimulatedCustomer:
    """`rank` 0 has the most mail; `weight` is relative. `ips` are the addresses of `pool` it sends from.

    `turns_at` is the part of the simulated history after which `after` and `volume_factor` hold.
    `domain_weights` go with the fleet's domains. `phase_h` shifts its business hours, in hours from UTC.
    """

    name: str
    profile: str
    rank: int
    weight: float
    phase_h: float
    pool: Pool
    ips: tuple[str, ...]
    streams: tuple[MailStream, ...]
    domain_weights: tuple[float, ...]
    rates: OutcomeRates
    after: OutcomeRates | None = None
    turns_at: float | None = None
    volume_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class PlannedListing:
    """`resource` gets on `zone` at `begins` and, if `ends` is set, off it then (parts of the history)."""

    resource: str
    zone: str
    weight: Weight
    code: str
    meaning: str
    begins: float
    ends: float | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """Customers by rank, the recipient domains all of them write to, the listings to come, and the troubles."""

    seed: int
    customers: tuple[SimulatedCustomer, ...]
    domains: tuple[str, ...]
    fbl_domains: frozenset[str]
    listings: tuple[PlannedListing, ...]
    troubles: tuple[Trouble, ...] = ()


def build_fleet(
    seed: int, customers: int, fbl_domains: frozenset[str] | None = None, troubles: tuple[Trouble, ...] = ()
) -> Fleet:
    """The fleet of a seed. `fbl_domains` replaces the feedback-loop flags of `profiles.toml`.

    Raises:
        SimulationError: fewer than 1 or more than 20,000 customers, or a fault in `profiles.toml`.
    """
    if not 1 <= customers <= MOST_CUSTOMERS:
        raise SimulationError(f"a fleet has 1 to {MOST_CUSTOMERS:,} customers, not {customers:,}")
    behaviour = load_profiles()
    rng = random.Random(f"fleet {seed}")
    names = _names(rng, behaviour.names, customers)
    profiles = _deal(rng, behaviour.profiles, customers)
    homes, listings = _addresses(rng, profiles)
    made = []
    for rank, (name, profile) in enumerate(zip(names, profiles, strict=True)):
        pool, ips = homes[rank]
        made.append(
            SimulatedCustomer(
                name=name,
                profile=profile.name,
                rank=rank,
                weight=(rank + 1) ** -ZIPF_EXPONENT,
                phase_h=rng.choice((-7.0, -5.0, 0.0, 0.0, 1.0, 1.0, 2.0)) + rng.uniform(-1.0, 1.0),
                pool=pool,
                ips=ips,
                streams=_streams(rng, name),
                domain_weights=_domain_weights(rng, behaviour.domains),
                rates=_rates(rng, profile.rates),
                after=_rates(rng, profile.after) if profile.after else None,
                turns_at=rng.uniform(*profile.turns) if profile.turns else None,
                volume_factor=profile.volume_factor,
            )
        )
    return Fleet(
        seed,
        tuple(made),
        tuple(each.name for each in behaviour.domains),
        _fbl(behaviour, fbl_domains),
        listings,
        troubles,
    )


def _fbl(behaviour: Profiles, given: frozenset[str] | None) -> frozenset[str]:
    if given is None:
        return frozenset(each.name for each in behaviour.domains if each.feedback_loop)
    return given & {each.name for each in behaviour.domains}


def _names(rng: random.Random, words: NameParts, count: int) -> list[str]:
    every = [f"{first}-{second}" for first in words.first for second in words.second]
    rng.shuffle(every)
    rounds = range(math.ceil(count / len(every)))
    return [name if number == 0 else f"{name}-{number + 1}" for number in rounds for name in every][:count]


def _deal(rng: random.Random, profiles: Sequence[Profile], customers: int) -> list[Profile]:
    """A profile for each rank. Small fleets get the first profiles first; the last profile fills up."""
    *special, usual = profiles
    dealt = [usual] * customers
    free = set(range(customers))
    left = customers // MOST_NOT_GOOD
    for profile in special:
        wanted = min(left, math.ceil(profile.share / 100 * customers - 1e-9))
        left -= wanted
        low, high = (int(part * customers) for part in profile.ranks)
        for _ in range(wanted):
            places = [rank for rank in range(low, max(high, low + 1)) if rank in free] or sorted(free)
            rank = rng.choice(places)
            free.remove(rank)
            dealt[rank] = profile
    return dealt


def _addresses(
    rng: random.Random, profiles: Sequence[Profile]
) -> tuple[dict[int, tuple[Pool, tuple[str, ...]]], tuple[PlannedListing, ...]]:
    """Pool and addresses by rank, and the listings.

    In every other group pool each member keeps to addresses of its own, so that a listing names it; in the
    others all share all, so that a listing names only the pool. One address of the first shared pool is
    on a minor list for a short while, as happens to anybody.
    """
    fresh = (str(FIRST_IP + number) for number in range(2**17 - 2))
    homes: dict[int, tuple[Pool, tuple[str, ...]]] = {}
    listings: list[PlannedListing] = []
    dedicated = math.ceil(DEDICATED_SHARE * len(profiles))
    shared: list[int] = []
    for rank, profile in enumerate(profiles):
        if profile.group:
            continue
        if rank < dedicated:
            pool = Pool(f"dedicated-{rank + 1}", _take(fresh, 2))
            homes[rank] = (pool, pool.ips)
        else:
            shared.append(rank)
    pools = max(1, round(len(shared) / CUSTOMERS_PER_SHARED_POOL))
    shared_pools = [Pool(f"shared-{number + 1}", _take(fresh, SHARED_POOL_IPS)) for number in range(pools)]
    for place, rank in enumerate(shared):
        pool = shared_pools[place % pools]
        homes[rank] = (pool, pool.ips)
    if shared:
        listings.append(_minor(rng, shared_pools[0].ips[0]))
    for name, size in {each.name: each.group for each in profiles if each.group}.items():
        members = [rank for rank, each in enumerate(profiles) if each.name == name]
        for number, start in enumerate(range(0, len(members), size)):
            group = members[start : start + size]
            pool = Pool(f"pool-{name}-{number + 1}", _take(fresh, 2 * len(group)))
            for place, rank in enumerate(group):
                homes[rank] = (pool, pool.ips[2 * place : 2 * place + 2] if number % 2 == 0 else pool.ips)
            listings += (_critical(rng, ip) for ip in pool.ips)
    return homes, tuple(listings)


def _take(fresh: Iterator[str], count: int) -> tuple[str, ...]:
    return tuple(next(fresh) for _ in range(count))


def _critical(rng: random.Random, ip: str) -> PlannedListing:
    meaning = "snowshoe spam range"
    return PlannedListing(ip, CRITICAL_ZONE, "critical", "127.0.0.3", meaning, rng.uniform(0.3, 0.6))


def _minor(rng: random.Random, ip: str) -> PlannedListing:
    begins = rng.uniform(0.1, 0.3)
    meaning = "seen sending to a trap address"
    return PlannedListing(ip, MINOR_ZONE, "minor", "127.0.0.2", meaning, begins, begins + 0.02)


def _streams(rng: random.Random, name: str) -> tuple[MailStream, ...]:
    campaign = rng.choice(_CAMPAIGNS)
    bulk = rng.uniform(0.5, 0.9)
    kinds = rng.choices(("both", "bulk", "transactional"), (55, 30, 15))[0]
    if kinds == "bulk":
        return (MailStream("marketing", "bulk", 1.0, f"news.{name}.example", campaign),)
    if kinds == "transactional":
        return (MailStream("receipts", "transactional", 1.0, f"mail.{name}.example", ""),)
    return (
        MailStream("receipts", "transactional", 1.0 - bulk, f"mail.{name}.example", ""),
        MailStream("marketing", "bulk", bulk, f"news.{name}.example", campaign),
    )


def _domain_weights(rng: random.Random, domains: Sequence[MailboxDomain]) -> tuple[float, ...]:
    return tuple(each.weight * rng.lognormvariate(0.0, 0.25) for each in domains)


def _rates(rng: random.Random, ranges: RateRanges) -> OutcomeRates:
    def ratio(between: tuple[float, float]) -> float:
        return rng.uniform(*between) / 100

    return OutcomeRates(
        hard=ratio(ranges.hard),
        soft=ratio(ranges.soft),
        block=ratio(ranges.block),
        expired=ratio(ranges.expired),
        suppressed=ratio(ranges.suppressed),
        rejected=ratio(ranges.rejected),
        deferral=ratio(ranges.deferral),
        complaint=ratio(ranges.complaint),
        report=ratio(ranges.report),
        unsubscribe=ratio(ranges.unsubscribe),
        late_bounce=ratio(ranges.late_bounce),
    )
