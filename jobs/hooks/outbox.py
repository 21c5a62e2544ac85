"""Measures as they are stored (table `hook_actions`), who may act (`hook_leases`), and how far was read.

One hook acts at a time: who holds the highest epoch. An epoch is taken by an INSERT whose token names it, so of two
that try the store takes one, and reading it back tells which. Every row that a hook writes has its epoch in the
version: what one writes late, that was frozen and overtaken, never replaces what its successor wrote.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec

from jobs.hooks.measure import Measure, Mode
from schemas.errors import ExternalError
from schemas.times import utc_time
from streams.io.store import ArrayParameter, Store, portions

MEASURES = """
SELECT argMax(detail, version) FROM hook_actions
WHERE mode = {mode:String} AND (empty({customers:Array(String)}) OR customer IN {customers:Array(String)})
GROUP BY customer, scope, action
HAVING {all:Bool} OR argMax(state, version) != 'lifted'
"""
#: Whose mail was changed, since when. A measure that waited in vain was never begun.
BEGUN = """
SELECT DISTINCT customer FROM (
    SELECT customer, argMax(detail, version) AS last FROM hook_actions
    WHERE mode = {mode:String} GROUP BY customer, scope, action
)
WHERE JSONExtractInt(last, 'began_ms') > {since:Int64} AND JSONExtractString(last, 'effect') != 'notify'
"""
LEASE = """
SELECT epoch, argMax(owner, updated), toUnixTimestamp64Milli(argMax(until, updated)) FROM hook_leases
WHERE mode = {mode:String} GROUP BY epoch ORDER BY epoch DESC LIMIT 1
"""
EPOCH = "SELECT max(epoch) FROM hook_leases WHERE mode = {mode:String}"
POSITIONS = """
SELECT partition, argMax(next_offset, updated) FROM hook_positions
WHERE mode = {mode:String} AND topic_id = {topic:String} GROUP BY partition
"""
TOPICS = """
SELECT count() FROM hook_positions
WHERE mode = {mode:String} AND topic_id != {topic:String} AND startsWith(topic_id, {broker:String})
"""
ONCE = {"insert_deduplicate": 1}
EPOCH_BITS = 32

_decode = msgspec.json.Decoder(Measure).decode


class LeaseLostError(ExternalError):
    """Another hook acts by now."""


def measures(store: Store, mode: Mode, customers: Sequence[str] = (), *, over: bool = False) -> list[Measure]:
    """What was done, and is not over; with `over` all of it. Without `customers` those of everybody.

    Raises:
        StoreError: the store failed.
    """
    return [
        _decode(detail)
        for part in (portions(store, customers) if customers else [ArrayParameter(())])
        for (detail,) in store.rows(MEASURES, {"mode": mode, "customers": part, "all": over})
    ]


def begun_since(store: Store, mode: Mode, since_ms: int) -> frozenset[str]:
    """The customers whose mail something was begun to be done about after a time (epoch ms).

    Raises:
        StoreError: the store failed.
    """
    return frozenset(str(each) for (each,) in store.rows(BEGUN, {"mode": mode, "since": since_ms}))


class Lease:
    """The right to act, of one hook. `clock` gives epoch ms, `steady` the s of a clock that nobody sets."""

    def __init__(
        self,
        store: Store,
        mode: Mode,
        lease_s: float,
        clock: Callable[[], int],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self.mode, self._lease_ms, self._clock = store, mode, round(lease_s * 1000), clock
        self._steady = steady
        #: The lease of another hook as it was seen last, and since when it is the same.
        self._seen, self._seen_s = (0, 0), 0.0
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.epoch = 0
        self._renewed_ms = 0
        self._tried = 0
        #: Rows of one ms are told apart by it.
        self._written = 0

    def take(self) -> str:
        """Take the lease if it is free, or renew one's own when it is time. Returns who has it, empty where that is us.

        Raises:
            StoreError: the store failed.
        """
        now_ms = self._clock()
        if self.epoch and 0 <= now_ms - self._renewed_ms < self._lease_ms / 3:
            return ""
        epoch, owner, until_ms = self._read()
        if self.epoch and epoch == self.epoch:
            self._write(self.epoch, now_ms)
            return ""
        if self.epoch:
            self.epoch = 0
        if until_ms > now_ms and not self._is_silent(epoch, until_ms):
            return owner
        # A server that was killed may remember a token without its row: then the number after it is tried.
        new = epoch + 1 + self._tried
        self._write(new, now_ms, token=f"{self.mode}:{new}")
        epoch, owner, _ = self._read()
        if owner != self.owner:
            self._tried += epoch < new
            return owner or "another hook"
        self.epoch, self._tried = epoch, 0
        return ""

    def _is_silent(self, epoch: int, until_ms: int) -> bool:
        """Whether another's lease was not renewed for as long as it lasts: the clock may have been set back since."""
        now_s = self._steady()
        if self._seen != (epoch, until_ms):
            self._seen, self._seen_s = (epoch, until_ms), now_s
        return now_s - self._seen_s > self._lease_ms / 1000

    def check(self) -> None:
        """Just before anything is done.

        Raises:
            LeaseLostError: another hook has taken it.
            StoreError: the store failed.
        """
        ((epoch,),) = self._store.rows(EPOCH, {"mode": self.mode})
        if int(epoch) != self.epoch:
            self.epoch = 0
            raise LeaseLostError("another hook acts by now")

    def release(self) -> None:
        """Let another one act at once.

        Raises:
            StoreError: the store failed.
        """
        if self.epoch:
            self._write(self.epoch, self._clock(), lasts_ms=0)

    def _read(self) -> tuple[int, str, int]:
        for epoch, owner, until_ms in self._store.rows(LEASE, {"mode": self.mode}):
            return int(epoch), str(owner), int(until_ms)
        return 0, "", 0

    def _write(self, epoch: int, now_ms: int, *, token: str = "", lasts_ms: int | None = None) -> None:
        self._written += 1
        row = {
            "mode": self.mode,
            "epoch": epoch,
            "owner": self.owner,
            "until": utc_time(now_ms + (self._lease_ms if lasts_ms is None else lasts_ms)),
            "updated": utc_time(now_ms) + timedelta(microseconds=self._written % 1000),
        }
        settings = {"insert_deduplication_token": token, **ONCE} if token else {"insert_deduplicate": 0}
        self._store.insert("hook_leases", {name: [value] for name, value in row.items()}, settings)
        self._renewed_ms = now_ms


class MeasureOutbox:
    """The measures of one mode, written by the hook that acts."""

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store, self._lease, self._mode = store, lease, lease.mode
        self._epoch, self._count = 0, 0

    def put(self, measure: Measure) -> None:
        """Store a measure as it is now.

        Raises:
            StoreError: the store failed; whether it was stored is unknown, and the same may be stored again.
        """
        if self._epoch != self._lease.epoch:
            self._epoch, self._count = self._lease.epoch, 0
        self._count += 1
        row = {
            "mode": self._mode,
            "customer": measure.customer,
            "scope": measure.scope,
            "action": measure.name,
            "state": measure.state,
            "detail": msgspec.json.encode(measure).decode(),
            "changed": utc_time(measure.changed_ms),
            "version": (self._epoch << EPOCH_BITS) + self._count,
        }
        self._store.insert("hook_actions", {name: [value] for name, value in row.items()})

    def positions(self, topic_id: str) -> dict[int, int]:
        """The next offset of each partition that was read of a topic.

        Raises:
            StoreError: the store failed.
        """
        asked = {"mode": self._mode, "topic": topic_id}
        return {int(number): int(offset) for number, offset in self._store.rows(POSITIONS, asked)}

    def read_others(self, topic_id: str, broker: str = "") -> bool:
        """Whether another topic was read under the same name before; of a broker, where topics are called by it.

        Raises:
            StoreError: the store failed.
        """
        asked = {"mode": self._mode, "topic": topic_id, "broker": broker}
        return bool(self._store.rows(TOPICS, asked)[0][0])

    def put_positions(self, topic_id: str, offsets: dict[int, int], now_ms: int) -> None:
        """Store how far was read.

        Raises:
            StoreError: the store failed.
        """
        columns: dict[str, list[Any]] = {
            "mode": [self._mode] * len(offsets),
            "topic_id": [topic_id] * len(offsets),
            "partition": list(offsets),
            "next_offset": list(offsets.values()),
            "updated": [utc_time(now_ms)] * len(offsets),
        }
        if offsets:
            self._store.insert("hook_positions", columns)
