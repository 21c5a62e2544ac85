"""A fleet that sends to several providers at once: what each customer sent, what became of it, and when it was known.

It is stored in the product's own table of counts as it becomes known, and its judge looks with the clock passed in.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.verdicts.mail import Ints, Numbers
from schemas import providers
from schemas.alert import AlertData, AlertEvent
from schemas.policy import load_policy
from schemas.settings import MonitorSettings
from schemas.topics import REPUTATION_ALERTS
from streams.io.store import Store
from streams.monitor.batch import BatchJudge

#: Providers with their part of the mail (assumed), as `providers.toml` names them.
SHARES = {"gmail": 0.46, "yahoo": 0.16, "microsoft": 0.16, "apple": 0.07, "other": 0.15}
PROVIDERS = tuple(SHARES)
LOOPED = tuple(name in providers.load_providers().with_feedback_loop() for name in PROVIDERS)
MEASURES = ("delivered", "hard", "block", "expired", "complained")
HOUR, DAY = 3_600, 86_400
#: How far customers' shares of providers are from those of all: a Dirichlet distribution of this weight (assumed).
MIXED = 30.0
GIVEN_UP_S = 72 * HOUR
COMPLAINED_H = 8.0


class Rates(NamedTuple):
    """Ratios by customer and provider (or one for all)."""

    hard: Numbers | float = 0.004
    block: Numbers | float = 0.002
    expired: Numbers | float = 0.001
    complained: Numbers | float = 0.0002


@dataclass(frozen=True, slots=True)
class Events:
    """One row for each customer, provider, minute of sending and minute of knowing; times in s after the beginning."""

    known: Ints
    sent: Ints
    customer: Ints
    provider: Ints
    counts: Ints

    def rows(self, chosen: NDArray[np.bool_]) -> "Events":
        """Some of them."""
        return Events(*(getattr(self, name)[chosen] for name in ("known", "sent", "customer", "provider", "counts")))


@dataclass
class Fleet:
    """Customers, and what they sent so far. `pools` and `domains` are theirs by number."""

    rng: np.random.Generator
    names: list[str] = field(default_factory=list)
    mixes: list[Numbers] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    parts: list[Events] = field(default_factory=list)

    def add(self, name: str, number: int, *, pool: str = "shared", domain: str = "") -> Ints:
        """So many customers more; their numbers. Each has a From domain of its own, unless one is given."""
        first = len(self.names)
        for place in range(number):
            self.names.append(f"{name}{place:03}")
            self.mixes.append(self.rng.dirichlet(np.array(list(SHARES.values())) * MIXED))
            self.pools.append(pool)
            self.domains.append(domain or f"{name}{place:03}.example")
        return np.arange(first, first + number)

    def only(self, customers: Ints, provider: str) -> None:
        """These send to one provider alone."""
        for each in customers.tolist():
            self.mixes[each] = np.eye(len(PROVIDERS))[PROVIDERS.index(provider)]

    def send(self, customers: Ints, at: Ints, recipients: Ints, rates: Rates, jitter: float = 0.3) -> None:
        """Mail of customers, one row each, at seconds after the beginning (before it: negative)."""
        rng = self.rng
        mixes = np.array([self.mixes[each] for each in customers.tolist()])
        n = rng.multinomial(recipients, mixes)
        noise = np.exp(rng.normal(-(jitter**2) / 2, jitter, (len(customers), 1)))

        def drawn(of: Ints, rate: Numbers | float) -> Ints:
            rate = np.asarray(rate, np.float64)
            return rng.binomial(of, np.where(rate < 0.1, np.minimum(rate * noise, 1.0), rate))

        hard = drawn(n, rates.hard)
        block = drawn(n - hard, rates.block)
        expired = drawn(n - hard - block, rates.expired)
        delivered = n - hard - block - expired
        complained = drawn(delivered, np.asarray(rates.complained) * np.array(LOOPED))
        nothing = np.zeros_like(n)
        lag = (COMPLAINED_H * HOUR * np.exp(1.2 * rng.standard_normal(n.shape))).astype(np.int64)
        self._put(customers, at, np.zeros_like(n), (delivered, hard, block, nothing, nothing))
        self._put(customers, at, np.full_like(n, GIVEN_UP_S), (nothing, nothing, nothing, expired, nothing))
        self._put(customers, at, lag, (nothing, nothing, nothing, nothing, complained))

    def complain(self, customers: Ints, sent_at: Ints, provider: str, complaints: Ints, known: int) -> None:
        """Complaints about mail of some times, all known at once."""
        n = np.zeros((len(customers), len(PROVIDERS)), np.int64)
        n[:, PROVIDERS.index(provider)] = complaints
        nothing = np.zeros_like(n)
        self._put(customers, sent_at, known - sent_at[:, None] + nothing, (nothing, nothing, nothing, nothing, n))

    def _put(self, customers: Ints, at: Ints, lag: Ints, counts: Sequence[Ints]) -> None:
        every = np.stack(counts, axis=-1)
        rows, provider = np.nonzero(every.sum(axis=-1))
        known = at[rows] + lag[rows, provider]
        self.parts.append(Events(known, at[rows], customers[rows], provider, every[rows, provider]))

    def events(self) -> Events:
        """All of them, by when they were known."""
        every = [np.concatenate([getattr(part, name) for part in self.parts]) for name in Events.__slots__]
        order = np.argsort(every[0], kind="stable")
        return Events(*(each[order] for each in every))


def history(fleet: Fleet, customers: Ints, a_day: Numbers, days: int, until: int = 0) -> None:
    """Good mail by day, from 8 to 20, of so many days before `until` (s after the beginning, a full day)."""
    hours = np.arange(8, 20)
    for day in range(1, days + 1):
        who = np.repeat(customers, len(hours))
        at = np.tile(until - day * DAY + hours * HOUR + 600, len(customers))
        volume = np.repeat(a_day / len(hours) * np.exp(fleet.rng.normal(0, 0.2, len(customers))), len(hours))
        fleet.send(who, at, fleet.rng.poisson(volume), Rates())


def evenly(fleet: Fleet, customers: Ints, an_hour: Numbers, since: int, until: int, rates: Rates) -> None:
    """Mail in every minute of a span (s after the beginning)."""
    minutes = np.arange(since, until, 60)
    who, at = np.repeat(customers, len(minutes)), np.tile(minutes, len(customers))
    fleet.send(who, at, fleet.rng.poisson(np.repeat(an_hour / 60, len(minutes))), rates)


@dataclass
class Judged:
    """Who the product accused, and when first (s after the beginning)."""

    alerts: list[tuple[int, AlertData]] = field(default_factory=list)

    def accused(self) -> dict[str, int]:
        """Who was told to be excessive or worse, held or not, by when first; "" is nobody: a pool, a From domain."""
        return self._first(held=True)

    def suspended(self) -> dict[str, int]:
        """Who was so in a way that a hook acts on: alerts that are held wait for an operator."""
        return self._first(held=False)

    def _first(self, *, held: bool) -> dict[str, int]:
        found: dict[str, int] = {}
        for at, each in self.alerts:
            if each.level in ("excessive", "critical") and (held or each.held is None):
                found.setdefault(each.customer, at)
        return found


class Listed(NamedTuple):
    """Addresses that a critical list names from some second on (after the beginning)."""

    at: int
    zone: str
    addresses: Sequence[str]


def address(number: int) -> str:
    """The dedicated address of a customer by its number; no two of one network (RFC 2544: 198.18.0.0/15)."""
    return f"198.{18 + number // 250}.{number % 250}.7"


def judged(
    store: Store,
    fleet: Fleet,
    begin_s: int,
    looks: Sequence[int],
    listed: Sequence[Listed] = (),
    *,
    pools: bool = False,
) -> Judged:
    """All looks (s after `begin_s`, epoch s) of the product's own judge at a fleet; what was known before the first
    is its history. With listings each customer has a dedicated address. What shares a pool or a From domain is judged
    where it is asked for: its alerts are on no customer, and it took three fifths of the time."""
    found, clock = Judged(), [0]

    def publish(topic: str, _key: bytes, value: bytes) -> None:
        if topic == REPUTATION_ALERTS:
            found.alerts.append((clock[0], msgspec.json.decode(value, type=AlertEvent).data))

    # Looks are further apart than those who are alone at a provider wait.
    settings = MonitorSettings(long_windows_every_s=60, standings_every_s=3_600, alone_wait_s=0)
    judge = BatchJudge(store, load_policy(), providers.load_providers(), publish, lambda: None, settings)
    events = fleet.events()
    before = -(10**9)
    for at in looks:
        new = events.rows((events.known > before) & (events.known <= at))
        _store(store, fleet, new, begin_s, company=before > -(10**9), dedicated=bool(listed))
        for each in listed:
            if before < each.at <= at:
                list_addresses(store, each, begin_s)
        before, clock[0] = at, at
        now_ms = (begin_s + at) * 1000
        judge_all(judge, fleet.names, now_ms, pools=pools)
    return found


def judge_all(judge: BatchJudge, names: Collection[str], now_ms: int, *, pools: bool) -> None:
    """What a monitor does at `now_ms` (epoch ms): incidents, all customers, again those who are to be, pools."""
    judge.refresh_incidents(now_ms)
    again = judge.judge_customers(names, now_ms).again
    due = {customer for customer, when in again if when <= now_ms}
    if due:
        judge.judge_customers(due, now_ms)
    if pools:
        judge.judge_pools(now_ms)


def list_addresses(store: Store, listed: Listed, begin_s: int) -> None:
    """As a scan of blocklists would tell."""
    count = len(listed.addresses)
    store.insert(
        "listing_events",
        {
            "resource": list(listed.addresses),
            "kind": ["ip"] * count,
            "zone": [listed.zone] * count,
            "weight": ["critical"] * count,
            "type": ["listed"] * count,
            "confirmed": [True] * count,
            "time": [datetime.fromtimestamp(begin_s + listed.at, UTC)] * count,
            "id": [f"{listed.zone} {each} {listed.at}" for each in listed.addresses],
        },
    )


def _store(store: Store, fleet: Fleet, events: Events, begin_s: int, *, company: bool, dedicated: bool = False) -> None:
    """As intake would: by provider, and by pool and From domain."""
    if not len(events.known):
        return
    bucket = [datetime.fromtimestamp(begin_s + at // 60 * 60, UTC) for at in events.sent.tolist()]
    customer = [fleet.names[each] for each in events.customer.tolist()]
    for dimension, values in _dimensions(fleet, events, company=company, dedicated=dedicated):
        columns: dict[str, list[object]] = {
            "dimension": [dimension] * len(bucket),
            "customer": list(customer),
            "stream": ["news"] * len(bucket),
            "bucket": list(bucket),
            "value": list(values),
            "source": [f"made/{events.known[0]}"] * len(bucket),
        }
        columns |= {name: events.counts[:, place].tolist() for place, name in enumerate(MEASURES)}
        store.insert("counts", columns)


def _dimensions(fleet: Fleet, events: Events, *, company: bool, dedicated: bool) -> Iterator[tuple[str, list[str]]]:
    yield "provider", [PROVIDERS[each] for each in events.provider.tolist()]
    if dedicated:
        yield "ip", [address(each) for each in events.customer.tolist()]
    if company:
        yield "pool", [fleet.pools[each] for each in events.customer.tolist()]
        yield "from", [fleet.domains[each] for each in events.customer.tolist()]
