"""Counting: events in, rows of counts and of delivered messages out. Pure; the hot path of the product.

Every event gets one number, its cell: its sender (whose mail it is, and by what it was sent), the mailbox provider and
the measure. So an event costs two dictionary steps, and all sums of a flush are one `bincount`. The same senders come
again and again: what is in their names is worked out once, and a flush is spread over its dimensions as numbers.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from schemas.counts import MEASURES
from schemas.event import DEFAULT_STREAM, MailEvent
from schemas.providers import OTHER
from schemas.times import DAY_MS, MINUTE_MS
from streams.intake.seen import Ids

if TYPE_CHECKING:
    from streams.intake.new_names import NameGate

#: What new names are bounded by, in the order of `known_as`; each is in the name of its setting.
NAME_KINDS = ("sub_accounts", "streams", "addresses", "pools", "domains", "domains")
#: customer, stream, class, sending ip, pool, From domain, DKIM domain
SenderKey = tuple[str, str, str, str, str, str, str]
Codes = NDArray[np.int64]

WIDTH = len(MEASURES)
#: What a provider and a sender are multiplied by in a cell: room for 32 measures and 67 million providers.
PROVIDER = 1 << 5
SENDER = 1 << 31
#: The first offset of rows that count none: larger than any.
NO_OFFSET = (1 << 63) - 1
#: The bucket of rows that carry an offset: all of a source have the same, and it is never too old (2106-01-01).
OFFSET_BUCKET = 4_291_747_200
_DIMENSIONS = ("provider", "ip", "pool", "from", "dkim")
#: Where the row of the offset stands among them in the store.
_OFFSET_PLACE = 3
_OFFSET = {
    **{"dimension": ["offset"], "customer": [""], "stream": [""], "class": ["bulk"]},
    "bucket": pa.array([OFFSET_BUCKET], pa.uint32()),
    "value": [""],
}
#: In the order of the store.
_CLASSES = pa.array(["transactional", "bulk"])
_CLASS_CODES = {"transactional": 0, "bulk": 1}

INDEX = {name: place for place, name in enumerate(MEASURES)}
#: Types that are counted as they are, whatever else the event says.
DIRECT = {name: INDEX[name] for name in ("delivered", "deferred", "suppressed", "rejected", "unsubscribed", "expired")}
#: Seeds that keep hashes of ids, customers and types apart.
_CUSTOMER_SEED = 1
_TYPE_SEED = 2
#: Keeps hashes of deliveries apart from those of messages.
_DELIVERY_SEED = 1
#: No delivery to look for.
NO_DELIVERY = 0
#: The last day that the store can tell (2149-06-06).
MOST_DAY = 0xFFFF


@dataclass(slots=True)
class DeliveredMessages:
    """Messages delivered since the last flush, a hash of each and the time (epoch ms) by which it is counted:
    complaints and late bounces are looked up among them when they come."""

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))

    def note(self, events: Sequence[MailEvent], times: Sequence[int], reporting: frozenset[str]) -> None:
        """Add those of the events that a complaint may be about, each with its time in epoch ms."""
        kept = [
            (event, time)
            for event, time in zip(events, times, strict=True)
            if event.provider in reporting and event.message_id and event.type == "delivered"
        ]
        self.hashes.extend([message_hash(event) for event, _ in kept])
        self.times.extend([time for _, time in kept])

    def note_recipients(self, events: Sequence[MailEvent], times: Sequence[int]) -> None:
        """Add the deliveries among events that a bounce may come after, each with its time in epoch ms."""
        pairs = zip(events, times, strict=True)
        found = [(delivery_hash(event), time) for event, time in pairs if event.type == "delivered"]
        self.hashes.extend([each for each, _ in found if each != NO_DELIVERY])
        self.times.extend([time for each, time in found if each != NO_DELIVERY])


class Counted(NamedTuple):
    """Cells, and of each the minute (epoch minutes, UTC) in which it counts."""

    cells: Codes
    minutes: Codes

    @property
    def senders(self) -> Codes:
        """The number of each cell's sender."""
        return self.cells // SENDER

    @property
    def providers(self) -> Codes:
        """The number of each cell's provider."""
        return self.cells % SENDER // PROVIDER

    @property
    def measures(self) -> Codes:
        """The place of each cell's measure."""
        return self.cells % PROVIDER

    def some(self, chosen: NDArray[np.bool_]) -> "Counted":
        """Those that are chosen."""
        return Counted(self.cells[chosen], self.minutes[chosen])

    def and_these(self, others: "Counted") -> "Counted":
        """With others after them."""
        return Counted(np.concatenate([self.cells, others.cells]), np.concatenate([self.minutes, others.minutes]))

    def grouped(self) -> tuple[Codes, Codes]:
        """Of each cell the number of its group, of those with the same sender, provider and minute, and a cell of each
        group."""
        return _groups(self.senders, self.providers, self.minutes)


class Names(dict[str, int]):
    """Numbers names in the order in which they come: `names[name]` is the number of a name, known or new, times `step`.
    The empty one is the first; `empty` is what it means."""

    def __init__(self, step: int = 1, empty: str = "") -> None:
        super().__init__({"": 0, empty: 0})
        self.texts = [empty]
        self._step = step
        self._lock = Lock()
        self._sorted: tuple[int, pa.Array, Codes] = (0, pa.array([], pa.string()), np.array([], np.int64))

    def __missing__(self, name: str) -> int:
        with self._lock:  # several threads count
            if name not in self:
                self.texts.append(name)
                self[name] = (len(self.texts) - 1) * self._step
        return self[name]

    def ranked(self) -> tuple[pa.Array, Codes]:
        """The names in order, and the place of each number in that."""
        texts = self.texts[:]
        if self._sorted[0] != len(texts):
            order = sorted(range(len(texts)), key=texts.__getitem__)
            ranks = np.empty(len(texts), np.int64)
            ranks[order] = np.arange(len(texts))
            self._sorted = len(texts), pa.array([texts[each] for each in order], pa.string()), ranks
        return self._sorted[1:]


class Senders(dict[SenderKey, int]):
    """Numbers senders in the order in which they come: `senders[key]` is what a sender adds to a cell, known or new.

    Any thread may ask. Nothing is ever taken out: who keeps this for long drops it as a whole. With a `gate` new names
    are bounded: a sender with one too many counts as one without it, and is asked for again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate: NameGate | None = None
        self.providers = Names(PROVIDER, OTHER)
        self._names = tuple(Names() for _ in range(6))
        self._codes = tuple(array("q") for _ in range(7))
        self._hashes = array("Q")
        self._lock = Lock()

    def __missing__(self, key: SenderKey) -> int:
        customer, stream, kind, ip, pool, sender, signer = key
        domain = sender.lower()  # names of domains are the same in any case (RFC 4343)
        parts = customer, stream, ip, pool, domain, foreign_signer(signer, domain)
        if self.gate is not None and not all_known(self.gate.known.stored, names := known_as(*parts)):
            admitted = self.gate.admit(names, *parts[1:])
            if admitted != parts[1:]:
                return self[customer, admitted[0], kind, *admitted[1:]]
        with self._lock:  # several threads count
            if key not in self:
                numbers = [names[each] for names, each in zip(self._names, parts, strict=True)]
                for codes, number in zip(self._codes, (*numbers, _CLASS_CODES[kind]), strict=True):
                    codes.append(number)
                self._hashes.append(customer_hash(customer))
                self[key] = (len(self._hashes) - 1) * SENDER
        return self[key]

    def customers(self, senders: Codes) -> set[str]:
        """Whose these are."""
        texts = self._names[0].texts
        return {texts[each] for each in np.unique(_copied(self._codes[0])[np.unique(senders)]).tolist()}

    def customer_hashes(self) -> NDArray[np.uint64]:
        """Of each sender its customer's part of an identity."""
        return np.frombuffer(bytes(self._hashes), np.uint64)

    def columns(self, senders: Codes) -> "list[_Column]":
        """Of each of these customer, stream, ip, pool, From domain and DKIM domain, then the class."""
        found = []
        for names, codes in zip(self._names, self._codes, strict=False):
            texts, ranks = names.ranked()
            found.append(_Column(texts, ranks[_copied(codes)[senders]]))
        return [*found, _Column(_CLASSES, _copied(self._codes[-1])[senders])]


@dataclass(slots=True)
class EventTally:
    """Events counted since the last flush. `cells`, `times` (epoch ms, UTC) and `ids` (hashes of event ids) have one
    entry an event. `senders` may have been kept from earlier flushes."""

    senders: Senders = field(default_factory=Senders)
    cells: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("Q"))

    def counted(self) -> Counted:
        """The cells, each with its minute."""
        return Counted(np.frombuffer(self.cells, np.int64), np.frombuffer(self.times, np.int64) // MINUTE_MS)


def count_direct(tally: EventTally, events: Sequence[MailEvent], times: Sequence[int]) -> None:
    """Add events of `DIRECT` types, each by its time (epoch ms, UTC)."""
    senders, providers, place = tally.senders, tally.senders.providers, DIRECT
    # One pass for each list: comprehensions over attributes are the fastest Python there is for this.
    tally.cells.extend(
        [
            senders[e.customer, e.stream, e.stream_class, e.sending_ip, e.ip_pool, e.from_domain, e.dkim_domain]
            + providers[e.provider]
            + place[e.type]
            for e in events
        ]
    )
    tally.times.extend(times)
    tally.ids.extend([xxh3_64_intdigest(e.id.encode()) for e in events])


def identities(tally: EventTally) -> Ids:
    """What tells events apart, for each counted event: a hash of its id, customer and type."""
    counted = tally.counted()
    types = np.fromiter((type_hash(name) for name in MEASURES), np.uint64, len(MEASURES))
    customers = tally.senders.customer_hashes()[counted.senders]
    ids: Ids = np.frombuffer(tally.ids, np.uint64) ^ customers ^ types[counted.measures]
    return ids


def identity(event: MailEvent) -> int:
    """The same for one event of any type."""
    return xxh3_64_intdigest(event.id.encode()) ^ customer_hash(event.customer) ^ type_hash(event.type)


@lru_cache(maxsize=64)
def type_hash(name: str) -> int:
    """An event type's part of an identity."""
    return xxh3_64_intdigest(name.encode(), _TYPE_SEED)


def customer_hash(customer: str) -> int:
    """A customer's part of an identity."""
    return xxh3_64_intdigest(customer.encode(), _CUSTOMER_SEED)


def message_hash(event: MailEvent) -> int:
    """What tells messages apart: a hash of customer and message id."""
    return xxh3_64_intdigest(f"{event.customer}\0{event.message_id}".encode())


def delivery_hash(event: MailEvent) -> int:
    """What a delivery and a later bounce have in common: customer, message, recipient; `NO_DELIVERY` where one is
    missing."""
    if not event.message_id or not event.recipient_hash:
        return NO_DELIVERY
    return xxh3_64_intdigest(f"{event.customer}\0{event.message_id}\0{event.recipient_hash}".encode(), _DELIVERY_SEED)


def sent_messages_table(parts: Iterable[DeliveredMessages]) -> pa.Table:
    """Rows of the `sent_messages` table."""
    found = list(parts)
    minutes = np.concatenate([np.frombuffer(each.times, np.int64) for each in found]) // MINUTE_MS
    hashes = np.concatenate([np.frombuffer(each.hashes, np.uint64) for each in found])
    days, minutes = np.divmod(minutes, DAY_MS // MINUTE_MS)
    days = np.clip(days, 0, MOST_DAY)
    return pa.table({"day": days.astype(np.uint16), "minute": minutes.astype(np.uint16), "hash": hashes})


def _copied(codes: "array[int]") -> Codes:
    # Copied in one go: an array that is looked at cannot grow, and another thread may be about to make it.
    return np.frombuffer(bytes(codes), np.int64)


class _Column(NamedTuple):
    """A column of names as numbers. The names are in order, so that numbers compare as they do; an empty one is 0."""

    names: pa.Array
    codes: Codes

    def at(self, places: Codes) -> pa.Array:
        """The names at these places of the column."""
        return self.names.take(pa.array(self.codes[places]))


def counts_table(senders: Senders, counted: Counted, source: str, first_offset: int, last_offset: int) -> pa.Table:
    """The rows of one flush: what was counted, in every dimension that it has a value for, and one row for the offsets
    from `first_offset` to `last_offset`. They are in the order of the store's table, and there is no column for what
    nothing was counted of.

    Every row carries `source` and `last_offset`, so that counts and offset are stored together or not at all. The row
    for the offsets says how many these are, so that a flush that is gone can be seen (streams/intake/stored.py).
    """
    cell_group, first = counted.grouped()
    sums = np.bincount(cell_group * WIDTH + counted.measures, minlength=len(first) * WIDTH).reshape(-1, WIDTH)
    minutes = counted.minutes[first]
    customer, stream, ip, pool, domain, signer, kind = senders.columns(counted.senders[first])
    measures = np.flatnonzero(sums.any(axis=0))
    # Whose mail it is, by which every dimension is summed.
    owner, _ = _groups(customer.codes, stream.codes, kind.codes, minutes)
    texts, ranks = senders.providers.ranked()
    provider = _Column(texts, ranks[counted.providers[first]])
    parts = []
    for dimension, value in zip(_DIMENSIONS, (provider, ip, pool, domain, signer), strict=True):
        # What is unknown has no row.
        given = np.arange(len(first)) if value is provider else np.flatnonzero(value.codes)
        group, member = _groups(owner[given], value.codes[given])
        rows = given[member]
        parts.append(
            {
                "dimension": pa.repeat(dimension, len(rows)),
                "customer": customer.at(rows),
                "stream": stream.at(rows),
                "class": kind.at(rows),
                "bucket": pa.array(minutes[rows] * 60, pa.uint32()),
                "value": value.at(rows),
                "first_offset": pa.repeat(NO_OFFSET, len(rows)),
                "offsets": pa.repeat(pa.scalar(0, pa.uint64()), len(rows)),
                **{MEASURES[place]: _summed(group, sums[given, place], len(rows)) for place in measures},
            }
        )
    offsets = {
        "first_offset": pa.array([first_offset], pa.int64()),
        "offsets": pa.array([last_offset - first_offset + 1], pa.uint64()),
    }
    zeros = {MEASURES[place]: pa.array([0], pa.uint64()) for place in measures}
    parts.insert(_OFFSET_PLACE, _OFFSET | offsets | zeros)
    found = pa.concat_tables(map(pa.table, parts)).combine_chunks()
    return found.append_column("source", pa.repeat(source, len(found))).append_column(
        "last_offset", pa.repeat(pa.scalar(last_offset, pa.int64()), len(found))
    )


def _groups(*columns: Codes) -> tuple[Codes, Codes]:
    """For each row the number of its group, of those that have the same in all columns, and a row of each group.
    Groups are in the order of the columns."""
    joined, size = np.zeros(len(columns[0]), np.int64), 1
    for each in columns if len(joined) else ():
        least, most = int(each.min()), int(each.max())
        width = most - least + 1
        if size * width >= 1 << 62:
            joined = np.unique(joined, return_inverse=True)[1]
            size = len(joined)
        joined, size = joined * width + (each - least), size * width
    found, group = np.unique(joined, return_inverse=True)
    member = np.zeros(len(found), np.int64)
    member[group] = np.arange(len(joined))
    return group, member


def _summed(group: Codes, counts: Codes, groups: int) -> pa.Array:
    # The weights of bincount are doubles: exact for more than a flush can hold.
    return pa.array(np.bincount(group, counts, groups).astype(np.uint64))


def known_as(customer: str, stream: str, ip: str, pool: str, domain: str, signer: str) -> tuple[str, ...]:
    """What a sender's names are known as, by kind: sub-account, stream, address, pool, domains; empty for none."""
    account, apart, _ = stream.partition("/")
    own = f"{customer}\0{stream}" if stream not in ("", DEFAULT_STREAM) else ""
    found = (f"{customer}\0{account}" if apart else ""), own, ip, pool, domain, signer
    return tuple(name and f"{kind}\0{name}" for kind, name in zip(NAME_KINDS, found, strict=True))


def all_known(stored: Ids, names: Iterable[str]) -> bool:
    """Whether the hashes of all names are among these, which are sorted and end with the largest number there is."""
    hashes = np.array([xxh3_64_intdigest(name.encode()) for name in names if name], np.uint64)
    return bool((stored[np.searchsorted(stored, hashes)] == hashes).all())


def foreign_signer(dkim_domain: str, from_domain: str) -> str:
    """The DKIM domain, unless the From domain is it or lies below it: who is meant by the one is meant by the other."""
    if not dkim_domain:
        return ""
    signer, sender = dkim_domain.lower(), from_domain.lower()
    return "" if f".{sender}".endswith(f".{signer}") else signer
