"""Mail to people who had asked for none: who unsubscribed or complained, and what was delivered to them after that.

The policy: no mail to an address more than 48 hours after it unsubscribed or complained. An unsubscription is about one
stream, a complaint about all of a customer's bulk mail; transactional mail (receipts, passwords) is never counted. Who
subscribes again is not seen in mail events, so a refusal is kept for `MOST_DAYS` only.

A worker holds all refusals in memory, 16 bytes each, and reads new ones every few minutes: long before they are old
enough to matter (streams/intake/stored_refusals.py). Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from schemas.times import DAY_MS, utc_time

GRACE_MS = 2 * DAY_MS
MOST_DAYS = 365
#: How often new refusals are read.
REFRESH_MS = 300_000
#: Refusals may be stored a little after the time they are marked with.
OVERLAP_S = 600
#: Refusals held; 160 MB.
MOST = 10_000_000

#: Hashes of who refused what, and when (epoch ms).
Refusals = tuple[NDArray[np.uint64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Mail delivered to somebody who refused it at `refused_ms`. Times are epoch ms, UTC."""

    position: int
    time_ms: int
    refused_ms: int
    event: MailEvent


class Refused:
    """Who refused mail from whom. Read and refreshed by different threads: what is held is replaced as a whole."""

    def __init__(self) -> None:
        self._held: Refusals = (np.empty(0, np.uint64), np.empty(0, np.int64))
        self._read_ms: int | None = None

    def __len__(self) -> int:
        return self._held[0].size

    def unwanted(self, events: Sequence[MailEvent], offsets: Sequence[int], times: Sequence[int]) -> list[Unwanted]:
        """Which of these events (times in epoch ms) delivered mail that was refused more than 48 hours before."""
        hashes, refused = self._held
        if not hashes.size:
            return []
        asked = [
            place
            for place, event in enumerate(events)
            if event.recipient_hash and event.type == "delivered" and event.stream_class == "bulk"
        ]
        if not asked:
            return []
        moments = np.array([times[place] for place in asked], np.int64)
        # The earlier of the two: of the stream, and of all.
        since = np.minimum(
            _time_of(hashes, refused, [stream_hash(events[place]) for place in asked]),
            _time_of(hashes, refused, [customer_hash(events[place]) for place in asked]),
        )
        late = np.flatnonzero(since < moments - GRACE_MS).tolist()
        return [Unwanted(offsets[asked[at]], int(moments[at]), int(since[at]), events[asked[at]]) for at in late]

    def read_from(self, now_ms: int) -> tuple[int, int] | None:
        """What is to be read at `now_ms`: refusals that came since then (epoch s), about times since then (epoch ms);
        None while what is held is new enough."""
        if self._read_ms is not None and now_ms - self._read_ms < REFRESH_MS:
            return None
        came = 0 if self._read_ms is None else max(0, self._read_ms // 1000 - OVERLAP_S)
        return came, max(0, now_ms - MOST_DAYS * DAY_MS)

    def add(self, new: Sequence[Refusals], now_ms: int) -> None:
        """Hold what was read at `now_ms` as well, and forget what is too old."""
        if new:
            self._held = _merged([self._held, *new], max(0, now_ms - MOST_DAYS * DAY_MS))
        self._read_ms = now_ms


def stream_hash(event: MailEvent) -> int:
    """A recipient's refusal of one stream."""
    return xxh3_64_intdigest(f"{event.customer}\0{event.stream}\0{event.recipient_hash}".encode())


def customer_hash(event: MailEvent) -> int:
    """A recipient's refusal of all bulk mail of a customer."""
    return xxh3_64_intdigest(f"{event.customer}\0\0{event.recipient_hash}".encode(), 1)


def refusal_columns(events: Iterable[MailEvent], now_ms: int) -> dict[str, list[Any]]:
    """Columns of the table `refusals`, of those events that refuse something and say whose mailbox it is."""
    found = []
    for event in events:
        if not event.recipient_hash:
            continue
        if event.type == "unsubscribed":
            found.append((stream_hash(event), event.time_ms))
        elif event.type == "complained" and event.feedback_type in (*COMPLAINT_FEEDBACK, ""):
            found.append((customer_hash(event), event.time_ms))
    return {
        "hash": [hashed for hashed, _ in found],
        "time": [utc_time(time_ms) for _, time_ms in found],
        "came": [utc_time(now_ms)] * len(found),
    }


def unwanted_columns(found: Iterable[tuple[str, Unwanted]]) -> dict[str, list[Any]]:
    """Columns of the table `unwanted_mail`, from pairs of source and mail."""
    pairs = list(found)
    kept = [each for _, each in pairs]
    return {
        "customer": [each.event.customer for each in kept],
        "time": [utc_time(each.time_ms) for each in kept],
        "stream": [each.event.stream for each in kept],
        "id": [each.event.id for each in kept],
        "message_id": [each.event.message_id for each in kept],
        "recipient_hash": [each.event.recipient_hash for each in kept],
        "refused": [utc_time(each.refused_ms) for each in kept],
        "source": [source for source, _ in pairs],
        "position": [each.position for each in kept],
    }


def _time_of(hashes: NDArray[np.uint64], times: NDArray[np.int64], asked: Sequence[int]) -> NDArray[np.int64]:
    """When each of `asked` was refused; the end of time where it was not."""
    wanted = np.array(asked, np.uint64)
    places = np.minimum(np.searchsorted(hashes, wanted), hashes.size - 1)
    found: NDArray[np.int64] = np.where(hashes[places] == wanted, times[places], np.iinfo(np.int64).max)
    return found


def _merged(parts: Sequence[Refusals], oldest_ms: int) -> Refusals:
    """The earliest time of each hash that is not too old, ordered by hash; the latest `MOST` refusals."""
    hashes = np.concatenate([part[0] for part in parts])
    times = np.concatenate([part[1] for part in parts])
    kept = times >= oldest_ms
    hashes, times = hashes[kept], times[kept]
    if hashes.size > MOST:
        newest = np.argpartition(times, hashes.size - MOST)[hashes.size - MOST :]
        hashes, times = hashes[newest], times[newest]
    order = np.lexsort((times, hashes))
    hashes, times = hashes[order], times[order]
    first = np.concatenate(([True], hashes[1:] != hashes[:-1])) if hashes.size else np.empty(0, np.bool_)
    return hashes[first], times[first]
