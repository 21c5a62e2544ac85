"""Event ids seen lately, in bounded memory: whether an event came before. Pure.

An id is a 64-bit hash. A table of buckets of eight slots holds, of each id, its upper 56 bits and the hour in which
it came. Each id has two buckets, both given by those bits, so that the table can grow without knowing the ids again,
and goes into the emptier one, which lets buckets fill evenly. An id is wrongly taken for a seen one only where the
bits are those of another in one of its buckets: `expected_errors` adds up how often that is to be expected. Where
both buckets are full, the oldest id in them is forgotten early, and that is counted: of those of one hour the one that
was put there first, since most repetitions come soon. So a full table knows the latest `lasting` ids.
"""

from collections.abc import Iterator, Sequence
from math import log2
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from schemas.times import HOUR_S

Ids = NDArray[np.uint64]
Flags = NDArray[np.bool_]

#: For how long an id is known.
SEEN_HOURS = 24
#: How many ids are looked up and put in at a time, at most; and how many buckets there are for each at least, since
#: those of one piece choose between their buckets without knowing of each other.
PIECE, BUCKETS_FOR_EACH = 2_048, 4
SLOTS = 8
SLOT_BYTES = 8
#: Besides its slots, of each bucket.
TURN_BYTES = 1
SMALLEST = 512
#: Part of the slots in use at which the table grows.
FULL = 0.65
#: Part of the slots that ids may be read back into, where no table is larger.
ROOM = 0.75
#: Part of the slots of a full table that is sure to hold what came last: buckets are not filled at one speed. Of ids
#: that came so long ago one in a million is forgotten, of twice as long ago one in a thousand.
LASTING = 0.25
#: Hours are kept modulo this, plus one: a stamp of 0 marks an empty slot.
CYCLE = 255
_STAMP = np.uint64(0xFF)
#: Multiplying by these stirs the bits for the two buckets, since ids may come sorted: unstirred, those of a block
#: have neighbouring buckets. 2^64 divided by the golden ratio, and by the plastic number.
_STIRS = np.array([0x9E3779B97F4A7C15, 0xC13FA9A902A6328F], np.uint64)
#: The lowest of the upper 56 bits is always set, so that no entry looks like an empty slot.
_ALWAYS = np.uint64(0x100)
_FINGERPRINT_BITS = 55


class NewIds(NamedTuple):
    """Ids that are to be remembered, and where they came from: of `source`, counted up to `last_offset`.
    `partitions` is how many the topic has."""

    topic: str
    partition: int
    partitions: int
    source: str
    last_offset: int
    ids: Ids


def remembered_table(new: Sequence[NewIds], hour: int) -> pa.Table:
    """Rows of the `remembered_ids` table, one for each source: ids that came in `hour` (epoch hours)."""
    sizes = [len(each.ids) for each in new]
    ends = pa.array(np.cumsum([0, *sizes]), pa.int32())
    return pa.table(
        {
            "topic": [each.topic for each in new],
            "partition": pa.array([each.partition for each in new], pa.uint32()),
            "partitions": pa.array([each.partitions for each in new], pa.uint32()),
            "came": pa.array([hour * HOUR_S] * len(new), pa.uint32()),
            "source": [each.source for each in new],
            "last_offset": pa.array([each.last_offset for each in new], pa.int64()),
            "hashes": pa.ListArray.from_arrays(ends, pa.array(np.concatenate([each.ids for each in new]), pa.uint64())),
        }
    )


def _distinct(ids: Ids) -> tuple[Ids, NDArray[np.intp]]:
    """The distinct ones in the order in which they came, and where each stands first. In any other order the first and
    the last of a large flush are as far apart as the whole of it and the one before."""
    ordered = np.sort(ids)
    if (ordered[1:] == ordered[:-1]).any():
        first = np.sort(np.unique(ids, return_index=True)[1])
        return ids[first], first
    return ids, np.arange(ids.size)


class SeenIds:
    """The ids of one source partition. `hours` is for how long an id is known; `most_bytes` bounds the memory."""

    def __init__(self, most_bytes: int, hours: int = SEEN_HOURS) -> None:
        if not 1 <= hours < CYCLE:
            raise ValueError(f"hours is from 1 to {CYCLE - 1}, not {hours}")
        self._hours = hours
        self._most_buckets = max(SMALLEST, 1 << int(log2(max(1, most_bytes // (SLOTS * SLOT_BYTES + TURN_BYTES)))))
        self._hour = 0
        self._slots = np.zeros((SMALLEST, SLOTS), np.uint64)
        #: Of each bucket, how often one was forgotten in it (modulo 256): so whose turn it is among those of one hour.
        self._turns = np.zeros(SMALLEST, np.uint8)
        #: Ids known now.
        self.known = 0
        #: Ids forgotten before their time for want of memory; a repetition of one of them counts again.
        self.forgotten = 0
        #: How many new ids were taken for seen ones so far, as expected from the table's filling.
        self.expected_errors = 0.0

    @property
    def room(self) -> int:
        """How many ids may be read back: hardly any two buckets are full then (one in 50,000 is forgotten)."""
        return int(ROOM * SLOTS * self._most_buckets)

    @property
    def lasting(self) -> int:
        """How many of the latest ids are known though there is no room for all of a day."""
        return int(LASTING * SLOTS * self._most_buckets)

    @property
    def memory_bytes(self) -> int:
        """What the table takes."""
        return int(self._slots.nbytes + self._turns.nbytes)

    def add(self, ids: Ids, hour: int) -> Flags:
        """Note ids that came in `hour` (epoch hours); for each whether it is new. Of equal ids the first is.

        Hours do not go back: what comes with an earlier one counts as of the latest.
        """
        hour = max(hour, self._hour)
        self._forget_expired(hour)
        stamp = np.uint64(hour % CYCLE + 1)
        fresh = np.zeros(ids.size, np.bool_)
        # In pieces that stay in the processor's cache with all that is made of them: a third of the time.
        for place in self._pieces(ids.size):
            part, first = _distinct(ids[place] | _ALWAYS)
            self.expected_errors += part.size * self.known / self._slots.size * self._error_of_a_full_bucket()
            new = ~self._find(part)
            self._insert(part[new] & ~_STAMP | stamp)
            fresh[place][first[new]] = True
        return fresh

    def load(self, ids: Ids, hours: NDArray[np.integer], now: int) -> None:
        """Note ids that came earlier, each in its hour, in any order; `now` is the hour now (epoch hours)."""
        now = max(now, self._hour)
        self._forget_expired(now)
        hours = np.minimum(hours.astype(np.int64), now)
        kept = hours >= now - self._hours
        distinct, first = _distinct(ids[kept] | _ALWAYS)
        entries = distinct & ~_STAMP | (hours[kept][first] % CYCLE + 1).astype(np.uint64)
        for place in self._pieces(distinct.size):
            self._insert(entries[place][~self._find(distinct[place])])

    def knows(self, ids: Ids, hour: int) -> Flags:
        """For each whether it is known in `hour` (epoch hours). Nothing is noted."""
        self._forget_expired(max(hour, self._hour))
        return self._find(ids | _ALWAYS)

    def take_forgotten(self) -> int:
        """How many were forgotten early since this was asked last."""
        forgotten, self.forgotten = self.forgotten, 0
        return forgotten

    def _pieces(self, size: int) -> Iterator[slice]:
        start = 0
        while start < size:
            end = start + min(PIECE, len(self._slots) // BUCKETS_FOR_EACH)
            yield slice(start, end)
            start = end

    def _error_of_a_full_bucket(self) -> float:
        # The bits that choose a bucket are alike for all in it, in the first of the two.
        bits = log2(len(self._slots))
        return float(SLOTS * (2.0 ** (bits - _FINGERPRINT_BITS) + 2.0**-_FINGERPRINT_BITS))

    def _buckets(self, ids: Ids) -> NDArray[np.intp]:
        """The two buckets of each id, one row an id."""
        shift = np.uint64(64 - int(log2(len(self._slots))))
        stirred = (ids | _STAMP)[:, None] * _STIRS
        return np.asarray(stirred >> shift).astype(np.intp)

    def _find(self, ids: Ids) -> Flags:
        there = np.take(self._slots, self._buckets(ids), axis=0)
        # Eight flags of a byte each, looked at as one number.
        same = ((there ^ ids[:, None, None]) <= _STAMP).view(np.uint64)
        return np.asarray((same[:, 0, 0] | same[:, 1, 0]) != 0)

    def _insert(self, entries: Ids) -> None:
        """Put stamped entries into the table, none of which is in it."""
        while self.known + entries.size > FULL * self._slots.size and len(self._slots) < self._most_buckets:
            self._grow()
        while entries.size:
            buckets = self._buckets(entries)
            empty = np.take(self._slots, buckets, axis=0) == 0
            # Eight flags of a byte each, counted as the bits of one number.
            free = np.bitwise_count(empty.view(np.uint64))[..., 0]
            which = (free[:, 1] > free[:, 0]).astype(np.intp)
            rows = np.arange(entries.size)
            bucket, slot = buckets[rows, which], empty[rows, which].argmax(axis=1)
            full = ~free.any(axis=1)
            if full.any():
                if len(self._slots) < self._most_buckets:  # never forget where there is room
                    self._grow()
                    continue
                bucket[full], slot[full] = self._oldest(buckets[full])
            self._slots[bucket, slot] = entries
            # Of several that chose the same slot one has it now; the others choose again.
            placed = self._slots[bucket, slot] == entries
            instead = placed & full
            turns, next_slot = self._turns[bucket[instead]], slot[instead].astype(np.uint8) + np.uint8(1)
            self._turns[bucket[instead]] = turns + np.uint8(1) + (next_slot - turns - np.uint8(1)) % np.uint8(SLOTS)
            self.known += int(np.count_nonzero(placed & ~full))
            self.forgotten += int(np.count_nonzero(instead))
            entries = entries[~placed]

    def _oldest(self, buckets: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Bucket and slot of the oldest entry in each pair of buckets. Of one hour it is the one whose turn it is, in
        the bucket that had fewer turns: so all buckets go round alike, and what came last stays (see `lasting`)."""
        turns = self._turns[buckets]
        ages = (np.int64(self._hour + 1) - (self._slots[buckets] & _STAMP).astype(np.int64)) % CYCLE
        waits = (np.arange(SLOTS) - turns[..., None].astype(np.int64)) % SLOTS
        ranks = ages * SLOTS - waits
        slots, oldest = ranks.argmax(axis=2), ages.max(axis=2)
        # Turns begin again at 256: fewer are those that are a short way behind.
        fewer = (turns[:, 1] - turns[:, 0]).view(np.int8) < 0
        which = ((oldest[:, 1] > oldest[:, 0]) | (oldest[:, 1] == oldest[:, 0]) & fewer).astype(np.intp)
        rows = np.arange(len(buckets))
        return buckets[rows, which], slots[rows, which]

    def _grow(self) -> None:
        entries = self._slots[self._slots != 0]
        self._slots = np.zeros((2 * len(self._slots), SLOTS), np.uint64)
        self._turns = np.zeros(len(self._slots), np.uint8)
        self.known = 0
        self._insert(entries)

    def _forget_expired(self, hour: int) -> None:
        """Once an hour: stamps come round again, so none may stay."""
        if hour <= self._hour:
            return
        if hour - self._hour >= CYCLE - self._hours:
            self._slots[:] = 0
        self._hour = hour
        ages = (np.int64(hour + 1) - (self._slots & _STAMP).astype(np.int64)) % CYCLE
        self._slots[ages > self._hours] = 0
        self.known = int(np.count_nonzero(self._slots))
