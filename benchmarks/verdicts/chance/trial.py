"""One fleet from chance, through the product with its store and a clock that is passed in; and what came of it."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import exp, log
from time import time
from zlib import crc32

import msgspec
import numpy as np

from benchmarks.stored import settings_in
from benchmarks.verdicts.chance import abusers, mishaps
from benchmarks.verdicts.chance.abusers import TOGETHER, Spree
from benchmarks.verdicts.chance.arrival import Arrival, behind, held_up
from benchmarks.verdicts.chance.mishaps import FIRST_KINDS, Mishap
from benchmarks.verdicts.chance.outcomes import MEASURES, Mailbag, Rows, noises
from benchmarks.verdicts.chance.people import (
    AFTER_DAYS,
    HISTORY_DAYS,
    STREAMS,
    Person,
    company,
    good_ones,
    volumes,
)
from benchmarks.verdicts.fleet import DAY, HOUR, PROVIDERS, Judged, Listed, judge_all, list_addresses
from benchmarks.verdicts.mail import Ints
from jobs.setup.migrate import migrate
from schemas import providers
from schemas.alert import AlertData, AlertEvent
from schemas.policy import load_policy
from schemas.settings import ClickHouse, MonitorSettings
from schemas.topics import MAIL_EVENTS, REPUTATION_ALERTS
from streams.io.store import Store, open_store
from streams.monitor.batch import BatchJudge
from streams.monitor.half_counted import LateTopic

#: Of a shared pool.
ADDRESSES = 4
#: The store's clock: the beginning lies so many days ago.
AGO_DAYS = AFTER_DAYS + 4
#: Looks: minutes after what happens first, and hours after the beginning.
SOON_MIN = (3, 10, 25, 45, 60, 120)
LATER_H = (0.5, 4, 8, 12, 16, 24, 30, 36, 48, 60, 74, 84, 96, 119)


@dataclass(frozen=True, slots=True)
class Trial:
    """One fleet: its people with the bad mail of the bad ones, what strikes it, and its mail as it arrives. `title`
    says in words what it is."""

    title: str
    good: tuple[Person, ...]
    sprees: tuple[Spree, ...]
    mishaps: tuple[Mishap, ...]
    rows: Rows
    names: tuple[str, ...]
    people: tuple[Person, ...]
    #: Recipients of bad mail by its customer: times (s) and how many.
    bad_mail: Mapping[str, tuple[Ints, Ints]]
    looks: tuple[int, ...]
    #: From and to (s) when the topic of deliveries is behind, as the broker says.
    behind: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class BadOne:
    """One bad customer (of snowshoe all together): how many seconds after its first bad mail it was found, and after
    how many recipients of that; None: never. `warned`: at some level, at least; `held`: found, and not acted on then;
    `acted`: in how many seconds it was, None: never."""

    kind: str
    name: str
    seconds: int | None
    volume: int
    warned: bool
    held: bool = False
    acted: int | None = None


@dataclass(slots=True)
class TrialResult:
    """Of the good ones by name with how they were accused: suspended, held (and not suspended), told something
    milder (and neither)."""

    title: str
    good: int
    suspended: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    bad: list[BadOne] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is not left to chance, to try one direction by itself."""

    customers: tuple[int, int] = (3, 250)
    first_day: bool | None = None
    mishaps: tuple[str, ...] | None = None
    #: Of which kinds it is chosen what strikes, and how many, from and to.
    among: tuple[str, ...] = FIRST_KINDS
    number: tuple[int, int] = (1, 3)
    abusers: tuple[str, ...] | None = None
    arrival: Arrival | None = None


def make(rng: np.random.Generator, wish: Wish) -> Trial:
    """A fleet from chance alone."""
    of = company(rng, first_day=wish.first_day)
    number = round(exp(rng.uniform(log(wish.customers[0]), log(wish.customers[1]))))
    good = good_ones(rng, of, number)
    # At any time of the day, midnight not spared.
    begin = int(rng.integers(HOUR, 26 * HOUR))
    kinds = wish.mishaps
    if kinds is None:
        least, most = wish.number
        many = int(rng.integers(least, most + 1))
        kinds = tuple(str(each) for each in rng.choice(np.array(wish.among), many, replace=False))
    struck: list[Mishap] = []
    for kind in kinds:
        at = begin if not struck or rng.random() < 0.6 else begin + int(rng.integers(HOUR, 30 * HOUR))
        struck += mishaps.mishaps_at(rng, at, kind, of.pools)
    bad_kinds = wish.abusers
    if bad_kinds is None:
        bad_kinds = tuple(str(each) for each in rng.choice(np.array(abusers.KINDS), int(rng.integers(1, 4))))
    sprees: list[Spree] = []
    for kind in bad_kinds:
        at = begin + int(rng.integers(0, 1200)) if rng.random() < 0.7 else int(rng.integers(HOUR, 40 * HOUR))
        place = PROVIDERS[struck[0].places[0]] if struck and struck[0].places and rng.random() < 0.5 else ""
        sprees += abusers.sprees(rng, of, kind, at, good, place)
    for pool in (each.pool for each in struck if each.pool and each.listed):
        # It is why the pool is listed, an hour before.
        for each in abusers.sprees(rng, of, "bought list", max(HOUR, begin - HOUR), good):
            sprees.append(replace(each, person=replace(each.person, pool=pool)))
    arrival = wish.arrival or Arrival()
    return _sent(
        rng, good, sprees, struck, begin, arrival, _title(number, of.first_day, kinds, struck, bad_kinds, arrival)
    )


def _title(
    number: int, first_day: bool, kinds: Sequence[str], struck: Sequence[Mishap], bad: Sequence[str], arrival: Arrival
) -> str:
    parts = [f"{number} good" + (", first day" if first_day else ""), *(each.what for each in struck), *bad]
    return "; ".join([*parts, *([arrival.what] if arrival.what else [])])


def _spans(begins: Sequence[int]) -> tuple[Ints, Ints]:
    """Spans of time: of hours long ago and long after, and of minutes where something happens."""
    edges = set(range(-HISTORY_DAYS * DAY, AFTER_DAYS * DAY + 1, 3 * HOUR))
    for begin in begins:
        first = begin // HOUR * HOUR - HOUR
        edges |= set(range(first, first + 5 * HOUR, 120)) | set(range(first, first + 10 * HOUR, 900))
    ordered = np.array(sorted(each for each in edges if each <= AFTER_DAYS * DAY), np.int64)
    return ordered[:-1], np.diff(ordered)


def _sent(
    rng: np.random.Generator,
    good: Sequence[Person],
    sprees: Sequence[Spree],
    struck: Sequence[Mishap],
    begin: int,
    arrival: Arrival,
    title: str,
) -> Trial:
    bag = Mailbag(rng, struck)
    begins, lengths = _spans([begin, *(each.begins for each in struck if each.again)])
    people: list[Person] = []
    bad_mail: dict[str, tuple[Ints, Ints]] = {}
    for person in good:
        people.append(person)
        _usual_mail(rng, bag, len(people) - 1, person, begins, lengths, AFTER_DAYS * DAY)
    for spree in sprees:
        people.append(spree.person)
        number = len(people) - 1
        if spree.before is not None:
            until = AFTER_DAYS * DAY if spree.poisoning else spree.begins
            _usual_mail(rng, bag, number, spree.before, begins, lengths, until)
        at, recipients = _bad_mail(rng, spree)
        bag.post(number, spree.person, 0, at, recipients, np.full(len(at), 1.0))
        bad_mail[spree.person.name] = (at, recipients)
    soon = [begin, *(each.begins for each in sprees), *(each.begins for each in struck if each.begins > begin)]
    soon += [each.known for each in struck if each.together]
    looks = {round(each * HOUR) for each in LATER_H} | {at + after * 60 for at in soon for after in SOON_MIN}
    rows, looks = held_up(bag.rows(), looks, begin, arrival)
    names = tuple(each.name for each in people)
    ordered = tuple(sorted(each for each in looks if 0 < each < AFTER_DAYS * DAY))
    every = title, tuple(good), tuple(sprees), tuple(struck), rows, names, tuple(people), bad_mail, ordered
    return Trial(*every, behind(begin, arrival))


def _usual_mail(
    rng: np.random.Generator, bag: Mailbag, number: int, person: Person, begins: Ints, lengths: Ints, until: int
) -> None:
    for stream in person.streams:
        expected = np.where(begins < until, volumes(rng, stream, person.since, begins, lengths), 0.0)
        noise = noises(rng, person, begins)
        failing = noise.copy()
        if stream.old_segment and stream.rhythm != "monthly":
            days = np.unique(begins[expected > 0] // DAY)
            if len(days):
                # Addresses that are gone: nobody refuses such mail, or complains of it, more than of other mail.
                old = stream.old_segment / (person.hard + person.expired)
                failing[begins // DAY == rng.choice(days)] = old
        bag.post(number, person, stream.name, begins // 60 * 60, rng.poisson(expected), noise, failing)


def _bad_mail(rng: np.random.Generator, spree: Spree) -> tuple[Ints, Ints]:
    at: list[int] = []
    sent: list[int] = []
    for begins, ends in spree.slices:
        step = 60 if ends - begins <= 2 * HOUR else 1_800
        times = range(begins // 60 * 60, max(ends, begins + 60), step)
        at += times
        sent += rng.poisson(spree.each / len(times), len(times)).tolist()
    return np.array(at, np.int64), np.array(sent, np.int64)


def run(trials: Iterator[tuple[int, Trial]] | Sequence[tuple[int, Trial]]) -> Iterator[tuple[int, TrialResult]]:
    """Each through the product, as soon as it was judged."""
    with tempfile.TemporaryDirectory(prefix="repmon-fleets-") as folder:
        for number, trial in trials:
            yield number, judge_trial(settings_in(folder, f"fleet{number}"), trial)


def seeded(seed: int, number: int, wish: Wish) -> Trial:
    """The fleet of a number by a seed."""
    return make(np.random.default_rng([seed, crc32(b"fleets"), number]), wish)


def judge_trial(settings: ClickHouse, trial: Trial) -> TrialResult:
    """What the product says of it."""
    migrate(settings)
    store = open_store(settings)
    try:
        found = _judged(store, trial, (int(time()) // DAY - AGO_DAYS) * DAY)
    finally:
        store.close()
    return result_of(trial, found)


def _judged(store: Store, trial: Trial, begin_s: int) -> Judged:
    found, clock = Judged(), [0]

    def publish(topic: str, _key: bytes, value: bytes) -> None:
        if topic == REPUTATION_ALERTS:
            found.alerts.append((clock[0], msgspec.json.decode(value, type=AlertEvent).data))

    settings = MonitorSettings(long_windows_every_s=60, standings_every_s=3_600, alone_wait_s=0)

    def late_topics(now_ms: int) -> list[LateTopic]:
        since, until = trial.behind
        return [LateTopic(MAIL_EVENTS)] if since <= now_ms // 1000 - begin_s < until else []

    judge = BatchJudge(
        store, load_policy(), providers.load_providers(), publish, lambda: None, settings, late_topics=late_topics
    )
    together = any(each.kind == TOGETHER for each in trial.sprees)
    before = -(10**9)
    for at in trial.looks:
        new = trial.rows.some((trial.rows.known > before) & (trial.rows.known <= at))
        _store(store, trial, new, begin_s)
        for each in trial.mishaps:
            if each.listed and before < each.begins <= at:
                list_addresses(store, Listed(each.begins, f"bl{each.begins}.example", _named(trial, each)), begin_s)
        before = clock[0] = at
        now_ms = (begin_s + at) * 1000
        judge_all(judge, trial.names, now_ms, pools=together)
    return found


def _store(store: Store, trial: Trial, rows: Rows, begin_s: int) -> None:
    """As intake would: by provider, and by pool and From domain of late."""
    if not len(rows.n):
        return
    keys = np.stack([rows.sent // 60 * 60, rows.customer, rows.stream, rows.provider], axis=1)
    distinct, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.zeros((len(distinct), len(MEASURES)), np.int64)
    np.add.at(counts, (place.reshape(-1), rows.measure), rows.n)
    listed = any(each.listed for each in trial.mishaps)
    for dimension in ("provider", "pool", "from", *(("ip",) if listed else ())):
        some = slice(None) if dimension in ("provider", "ip") else np.flatnonzero(distinct[:, 0] >= -2 * DAY)
        at, customer, stream, provider = distinct[some].T
        if not len(at):
            continue
        people = [trial.people[each] for each in customer.tolist()]
        values = _values(dimension, people, at, provider)
        columns: dict[str, list[object]] = {
            "dimension": [dimension] * len(at),
            "customer": [each.name for each in people],
            "stream": [STREAMS[each] for each in stream.tolist()],
            "bucket": [datetime.fromtimestamp(begin_s + each, UTC) for each in at.tolist()],
            "value": [*values],
            "source": [f"made/{rows.known[0]}"] * len(at),
        }
        columns |= {name: counts[some, number].tolist() for number, name in enumerate(MEASURES)}
        store.insert("counts", columns)


def _values(dimension: str, people: Sequence[Person], at: Ints, provider: Ints) -> list[str]:
    match dimension:
        case "provider":
            return [PROVIDERS[each] for each in provider.tolist()]
        case "pool":
            return [each.pool for each in people]
        case "from":
            return [each.domain for each in people]
        case _:
            return [address(each.pool, hour) for each, hour in zip(people, (at // HOUR).tolist(), strict=True)]


def _named(trial: Trial, listing: Mishap) -> list[str]:
    """The addresses that a list names."""
    pools = {each.pool for each in trial.people}
    every = sorted({address(pool, hour) for pool in pools for hour in range(ADDRESSES)})
    if listing.pool:
        return sorted({address(listing.pool, hour) for hour in range(ADDRESSES)})
    return [each for each in every if crc32(f"{each} {listing.begins}".encode()) / 2**32 < listing.listed]


def address(pool: str, hour: int) -> str:
    """The address that mail of a pool goes through in some hour: a shared one has several in turn, all of them in
    networks of their own (RFC 2544: 198.18.0.0/15)."""
    turn = 0 if pool.startswith("own-") else hour % ADDRESSES
    number = crc32(f"{pool} {turn}".encode())
    return f"198.{18 + number % 2}.{number // 2 % 256}.{number // 512 % 250 + 1}"


def result_of(trial: Trial, found: Judged) -> TrialResult:
    """What came of a fleet, by what the product said of it."""
    good = {each.name for each in trial.good}
    struck = min((each.begins for each in trial.mishaps), default=AFTER_DAYS * DAY)
    result = TrialResult(trial.title, len(good))
    for at, alert in found.alerts:
        if alert.customer in good and alert.level != "good":
            said = f"{alert.customer} {alert.level} by {alert.rule} in {alert.window} at {at / HOUR:.2f} h"
            said += f" ({alert.numerator} of {alert.denominator}, {alert.scope})"
            if at < struck:
                said += ", before anything struck"
            if alert.level not in ("excessive", "critical"):
                result.told.setdefault(alert.customer, said)
            elif alert.held is None:
                result.suspended.setdefault(alert.customer, said)
            else:
                result.held.setdefault(alert.customer, said)
    for name in result.suspended:
        result.held.pop(name, None)
    for name in {*result.suspended, *result.held}:
        result.told.pop(name, None)
    result.bad = list(_bad_ones(trial, found))
    return result


def _bad_ones(trial: Trial, found: Judged) -> Iterator[BadOne]:
    together: set[str] = set()
    for spree in trial.sprees:
        name = spree.person.name
        if spree.kind != TOGETHER:
            yield _bad_one(spree, name, [(at, each) for at, each in found.alerts if each.customer == name], trial)
        elif spree.person.pool not in together:
            together.add(spree.person.pool)
            theirs = {each.person.name for each in trial.sprees if each.person.pool == spree.person.pool}
            scopes = {f"pool:{spree.person.pool}", f"from:{spree.person.domain}"}
            some = [(at, each) for at, each in found.alerts if each.customer in theirs or each.scope in scopes]
            yield _bad_one(spree, spree.person.pool, some, trial)


def _bad_one(spree: Spree, name: str, alerts: Sequence[tuple[int, AlertData]], trial: Trial) -> BadOne:
    # Its mail counts from the beginning of that minute on.
    begins = spree.begins // 60 * 60
    since = [(at, each) for at, each in alerts if at >= begins and each.level != "good"]
    if spree.kind.startswith("complaints"):
        # What strikes everybody strikes them too, and says nothing of the complaints.
        since = [(at, each) for at, each in since if each.metric == "complaint"]
    due = [(at, each) for at, each in since if spree.mild or each.level in ("excessive", "critical")]
    at, sent = trial.bad_mail[spree.person.name]
    until = min((when for when, _ in due), default=10**9)
    # What is milder is never held.
    held = bool(due) and all(each.held is not None for when, each in due if when == until)
    seconds = max(0, until - spree.begins) if due else None
    acted = min((max(0, when - spree.begins) for when, each in due if each.held is None), default=None)
    return BadOne(spree.kind, name, seconds, int(sent[at <= until].sum()), bool(since), held, acted)
