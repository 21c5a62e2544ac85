"""Counting: events in, rows of counts and of delivered messages out. Pure; the hot path of the product.

Every event gets one number, its cell: which of the distinct keys it is counted under, times the number of measures,
plus the measure. So an event costs one dictionary step, and all sums of a flush are one `bincount`. A flush then
spreads the distinct keys over the dimensions; there are far fewer keys than events.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from schemas.counts import MEASURES
from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from schemas.times import DAY_MS, MINUTE_MS
from streams.bounces.classify import Classified
from streams.intake.seen import Ids

#: customer, stream, class, minute (epoch minutes, UTC), provider, sending ip, pool, From domain, DKIM domain
CountKey = tuple[str, str, str, int, str, str, str, str, str]
Cells = NDArray[np.int64]
Codes = NDArray[np.int64]

WIDTH = len(MEASURES)
INDEX = {name: place for place, name in enumerate(MEASURES)}
#: Types that are counted as they are, whatever else the event says.
DIRECT = {name: INDEX[name] for name in ("delivered", "deferred", "suppressed", "rejected", "unsubscribed", "expired")}
#: Types of events that may come long after their mail; a bounce does where it is asynchronous.
LATE_TYPES = frozenset({"bounced", "complained", "expired", "unsubscribed"})
_COMPLAINED = INDEX["complained"]
_REPORTED = INDEX["reported"]
#: A complaint without a stated type is one: that is what the provider's webhook means by it.
_COMPLAINTS = COMPLAINT_FEEDBACK | {""}
#: Seeds that keep hashes of ids, customers and types apart.
_CUSTOMER_SEED = 1
_TYPE_SEED = 2
#: Keeps hashes of deliveries apart from those of messages.
_DELIVERY_SEED = 1
#: No delivery to look for.
NO_DELIVERY = 0
#: The last day that the store can tell (2149-06-06).
MOST_DAY = 0xFFFF
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
#: Where the minute stands in a key.
_MINUTE = 3


class Keys(dict[CountKey, int]):
    """Numbers keys in the order in which they come: `keys[key]` is a key's number, known or new."""

    def __missing__(self, key: CountKey) -> int:
        number = self[key] = len(self)
        return number


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


@dataclass(slots=True)
class EventTally:
    """Events counted since the last flush. `cells` and `ids` (hashes of event ids) have one entry an event."""

    keys: Keys = field(default_factory=Keys)
    cells: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("Q"))


def count_direct(tally: EventTally, events: Sequence[MailEvent], minutes: Sequence[int]) -> None:
    """Add events of `DIRECT` types, each in its minute (epoch minutes, UTC)."""
    keys, place = tally.keys, DIRECT
    # One pass for each list: comprehensions over attributes are the fastest Python there is for this.
    tally.cells.extend(
        [
            keys[
                e.customer,
                e.stream,
                e.stream_class,
                minute,
                e.provider,
                e.sending_ip,
                e.ip_pool,
                e.from_domain,
                e.dkim_domain,
            ]
            * WIDTH
            + place[e.type]
            for e, minute in zip(events, minutes, strict=True)
        ]
    )
    tally.ids.extend([xxh3_64_intdigest(e.id.encode()) for e in events])


def cells_of(keys: Keys, event: MailEvent, minute: int, classified: Classified | None) -> list[int]:
    """The cells of one event of any type. `classified` is given for bounces (`hard`, `soft` or `block`) and for what
    expired where the last reply was a `block`. `minute` is that of `event.sent`, where it is given."""
    e = event
    names = e.provider, e.sending_ip, e.ip_pool, e.from_domain, e.dkim_domain
    first = keys[e.customer, e.stream, e.stream_class, minute, *names] * WIDTH
    return [first + place for place in places_of(event, classified)]


def places_of(event: MailEvent, classified: Classified | None) -> list[int]:
    """The measures that an event adds to."""
    place = DIRECT.get(event.type) if classified is None else None
    if place is not None:
        places = [place]
    elif classified is None:
        places = [_COMPLAINED if event.feedback_type in _COMPLAINTS else _REPORTED]
    else:
        places = [INDEX[classified.kind]]
        # Like what expired, a refusal until the end adds nothing where it is not known when the mail was sent.
        if event.asynchronous or (event.type == "expired" and not event.sent):
            places.append(INDEX["late_" + classified.kind])
    if not event.sent and is_late(event) and (undated := INDEX.get(f"undated_{MEASURES[places[0]]}")) is not None:
        places.append(undated)
    return places


def is_late(event: MailEvent) -> bool:
    """Whether an event comes long after its mail: not in the minutes of the delivery."""
    return event.asynchronous if event.type == "bounced" else event.type in LATE_TYPES


def identities(tally: EventTally) -> Ids:
    """What tells events apart, for each counted event: a hash of its id, customer and type."""
    numbers, places = np.divmod(np.frombuffer(tally.cells, np.int64), WIDTH)
    customers = np.array([customer_hash(key[0]) for key in tally.keys], np.uint64)
    types = np.fromiter((type_hash(name) for name in MEASURES), np.uint64, WIDTH)
    ids: Ids = np.frombuffer(tally.ids, np.uint64) ^ customers[numbers] ^ types[places]
    return ids


def identity(event: MailEvent) -> int:
    """The same for one event of any type."""
    return xxh3_64_intdigest(event.id.encode()) ^ customer_hash(event.customer) ^ type_hash(event.type)


@lru_cache(maxsize=65_536)
def customer_hash(customer: str) -> int:
    """A customer's part of an identity."""
    return xxh3_64_intdigest(customer.encode(), _CUSTOMER_SEED)


@lru_cache(maxsize=64)
def type_hash(name: str) -> int:
    """An event type's part of an identity."""
    return xxh3_64_intdigest(name.encode(), _TYPE_SEED)


def message_hash(event: MailEvent) -> int:
    """What tells messages apart: a hash of customer and message id."""
    return xxh3_64_intdigest(f"{event.customer}\0{event.message_id}".encode())


def delivery_hash(event: MailEvent) -> int:
    """What a delivery and a later bounce have in common: customer, message, recipient; `NO_DELIVERY` where one is
    missing."""
    if not event.message_id or not event.recipient_hash:
        return NO_DELIVERY
    return xxh3_64_intdigest(f"{event.customer}\0{event.message_id}\0{event.recipient_hash}".encode(), _DELIVERY_SEED)


def earlier_delivery_of(event: MailEvent) -> int:
    """The delivery that an event may have come after; `NO_DELIVERY` for all but bounces that do not say it
    themselves."""
    return delivery_hash(event) if event.type == "bounced" and not event.asynchronous else NO_DELIVERY


def sent_messages_table(parts: Iterable[DeliveredMessages]) -> pa.Table:
    """Rows of the `sent_messages` table."""
    found = list(parts)
    minutes = np.concatenate([np.frombuffer(each.times, np.int64) for each in found]) // MINUTE_MS
    hashes = np.concatenate([np.frombuffer(each.hashes, np.uint64) for each in found])
    days, minutes = np.divmod(minutes, DAY_MS // MINUTE_MS)
    days = np.clip(days, 0, MOST_DAY)
    return pa.table({"day": days.astype(np.uint16), "minute": minutes.astype(np.uint16), "hash": hashes})


class _Column(NamedTuple):
    """A column of names as numbers. The names are in order, so that numbers compare as they do."""

    names: list[str]
    codes: Codes

    @classmethod
    def of(cls, column: Sequence[str]) -> "_Column":
        """The column in numbers."""
        names = sorted(set(column))
        places = {name: place for place, name in enumerate(names)}
        return cls(names, np.fromiter(map(places.__getitem__, column), np.int64, len(column)))

    def changed(self, change: Callable[[str], str]) -> "_Column":
        """The same with each name changed."""
        names, codes = _Column.of([change(name) for name in self.names])
        return _Column(names, codes[self.codes])

    def at(self, places: Codes) -> pa.Array:
        """The names at these places of the column."""
        return pa.array(self.names, pa.string()).take(pa.array(self.codes[places]))


#: The first offset of rows that count none: larger than any.
NO_OFFSET = (1 << 63) - 1


def counts_table(keys: Iterable[CountKey], cells: Cells, source: str, first_offset: int, last_offset: int) -> pa.Table:
    """The rows of one flush: each key with a count in every dimension it has a value for, and one row for the offsets
    from `first_offset` to `last_offset`. They are in the order of the store's table, and there is no column for what
    nothing was counted of.

    Every row carries `source` and `last_offset`, so that counts and offset are stored together or not at all. The row
    for the offsets says how many these are, so that a flush that is gone can be seen (streams/intake/stored.py).
    """
    columns = list(zip(*keys, strict=True)) if cells.size else [()] * 9
    minutes = np.array(columns.pop(_MINUTE), np.int64)
    customer, stream, kind, provider, ip, pool, sender, signer = map(_Column.of, columns)
    sums = np.bincount(cells, minlength=len(minutes) * WIDTH).reshape(-1, WIDTH)
    measures = np.flatnonzero(sums.any(axis=0))
    used = sums.any(axis=1)
    # Whose mail it is, by which every dimension is summed. The store has `bulk` behind `transactional`.
    owner, _ = _groups(customer.codes, stream.codes, -kind.codes, minutes)
    domain = sender.changed(str.lower)  # names of domains are the same in any case (RFC 4343)
    # An unknown provider is `other`; what else is unknown has no row.
    values = (provider.changed(lambda name: name or "other"), ip, pool, domain, _foreign_signers(signer, domain))
    parts = []
    for dimension, value in zip(_DIMENSIONS, values, strict=True):
        given = np.flatnonzero(used & np.array([name != "" for name in value.names], np.bool_)[value.codes])
        group, first = _groups(owner[given], value.codes[given])
        rows = given[first]
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


def _summed(group: Codes, counts: NDArray[np.int64], groups: int) -> pa.Array:
    # The weights of bincount are doubles: exact for more than a flush can hold.
    return pa.array(np.bincount(group, counts, groups).astype(np.uint64))


def _foreign_signers(signer: _Column, sender: _Column) -> _Column:
    """The DKIM domain of each key, where it counts by itself."""
    if signer.names == [""]:
        return signer
    pair, member = _groups(signer.codes, sender.codes)
    pairs = zip(signer.codes[member], sender.codes[member], strict=True)
    names, codes = _Column.of([foreign_signer(signer.names[one], sender.names[other]) for one, other in pairs])
    return _Column(names, codes[pair])


def foreign_signer(dkim_domain: str, from_domain: str) -> str:
    """The DKIM domain, unless the From domain is it or lies below it: who is meant by the one is meant by the other."""
    if not dkim_domain:
        return ""
    signer, sender = dkim_domain.lower(), from_domain.lower()
    return "" if f".{sender}".endswith(f".{signer}") else signer
