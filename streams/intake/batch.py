"""What one source partition has brought since its last flush: events in, a batch to store out. Pure.

A message is taken whole or not at all: if one of its events is bad, none of them counts and the message becomes
a dead letter with its bytes, so that a mended message can be sent again. A batch holds whatever came; which of it was
seen before is found out when it is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import TypeVar

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.event import MAX_EVENT_BYTES, NEGATIVE_TYPES, MailEvent, epoch_ms
from schemas.listing import BlocklistEvent
from schemas.times import MINUTE_MS
from streams.adapt import Adapter, AdaptError, Context, ListingAdapter, canonical
from streams.adapt.base import printable
from streams.adapt.common import plain
from streams.adapt.validate import check_time
from streams.bounces.classify import Classified, Classifier
from streams.intake import late_bounces
from streams.intake.cohorts import Delivered
from streams.intake.count import Cells, EventTally, count_direct
from streams.intake.refusals import Refused, Unwanted
from streams.intake.seen import Ids, SeenIds

T = TypeVar("T")

LISTING = msgspec.json.Decoder(BlocklistEvent)
#: Where a run of messages has a bad one, runs of this length are tried before single messages.
SHORT_RUN = 50


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far an event's time may lie from now, in ms."""

    ahead_ms: int
    behind_ms: int


@dataclass(frozen=True, slots=True)
class NegativeEvent:
    """A negative event: kept for evidence, and counted if it did not come before. `delivery` is the one that it may
    have come after (see `streams.intake.late_bounces`)."""

    position: int
    time_ms: int
    event: MailEvent
    classified: Classified | None
    delivery: int = late_bounces.NONE


@dataclass(slots=True)
class SourcePartition:
    """A partition of a topic that is being read, and which event ids it brought lately.

    `name` is topic, topic id and partition: a topic that was recreated is a new source. `verified_s` is when the
    stored offset was last read to be ours (monotonic clock).
    """

    name: str
    topic: str
    partition: int
    seen: SeenIds
    verified_s: float = 0.0


@dataclass(slots=True)
class Batch:
    """The unflushed part of one source.

    `position` is the offset at which it begins: one after the last stored offset. `next_offset` is one after
    the last message taken. `unseen`, set when the batch is stored for the first time, is what of it counts.
    `lost_tokens` is how many of its tokens the store remembers without the rows.
    """

    source: SourcePartition
    position: int
    next_offset: int
    tally: EventTally = field(default_factory=EventTally)
    delivered: Delivered = field(default_factory=Delivered)
    negatives: list[NegativeEvent] = field(default_factory=list)
    unwanted: list[Unwanted] = field(default_factory=list)
    listings: list[tuple[int, BlocklistEvent]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    messages: int = 0
    unseen: "Unseen | None" = None
    lost_tokens: int = 0

    @property
    def token(self) -> str:
        """What the store knows an INSERT of these counts by."""
        return f"{self.source.name}@{self.position}" + (f"#{self.lost_tokens}" if self.lost_tokens else "")

    @property
    def customers(self) -> set[str]:
        """Whose counts this batch may change."""
        return {key[0] for key in self.tally.keys} | {each.event.customer for each in self.negatives}

    def next(self) -> "Batch":
        """An empty batch that continues behind this one."""
        return Batch(self.source, self.next_offset, self.next_offset)


@dataclass(frozen=True, slots=True)
class Unseen:
    """What of a batch did not come before: its cells, the ids to be remembered, and the negative events."""

    cells: Cells
    ids: Ids
    negatives: list[NegativeEvent]
    duplicates: int
    negative_duplicates: int


#: Takes consecutive messages of one source: its batch, their bytes, their offsets, the time now (epoch ms).
BatchReader = Callable[[Batch, Sequence[bytes], Sequence[int], int], None]


def take_mail(
    adapt: Adapter,
    context: Context,
    classify: Classifier,
    bounds: TimeBounds,
    *,
    cohorts: bool = True,
    refused: Refused | None = None,
    find_late: bool = False,
) -> BatchReader:
    """How messages of a topic with mail events are taken: adapt, check, classify, count. Of the canonical format
    whole runs are adapted at once, which gives the counts that one by one would give. With `cohorts` it is recorded
    which messages complaints may come of, with `refused` which mail went to people who wanted none, with `find_late`
    what was delivered, so that bounces are found that came later."""
    at_once = adapt is canonical.adapt
    reporting = frozenset(context.providers.with_feedback_loop() if cohorts else ())

    def take(batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        batch.messages += len(payloads)
        batch.next_offset = offsets[-1] + 1
        if at_once:
            fast_path(batch, payloads, offsets, now_ms)
        else:
            one_by_one(batch, payloads, offsets, now_ms)

    def fast_path(batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        events = canonical.adapt_all(payloads, context)
        if events is not None and (times := _believable(events, bounds, now_ms)) is not None:
            add(batch, events, offsets, times)
        elif len(payloads) <= SHORT_RUN:
            one_by_one(batch, payloads, offsets, now_ms)
        else:
            for start in range(0, len(payloads), SHORT_RUN):
                part = slice(start, start + SHORT_RUN)
                fast_path(batch, payloads[part], offsets[part], now_ms)

    def one_by_one(batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        events: list[MailEvent] = []
        places: list[int] = []
        times: list[int] = []
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                found = _adapted(payload, adapt, context)
                moments = [epoch_ms(event.time) for event in found]
                _check_times(found, moments, bounds, now_ms)
            except AdaptError as error:
                batch.dead.append(dead_letter(batch.source, payload, offset, now_ms, str(error)))
            else:
                events += found
                times += moments
                places += [offset] * len(found)
        add(batch, events, places, times)

    def add(batch: Batch, events: list[MailEvent], offsets: Sequence[int], times: list[int]) -> None:
        if refused is not None:
            batch.unwanted += refused.unwanted(events, offsets, times)
        rare = [at for at, event in enumerate(events) if event.type in NEGATIVE_TYPES]
        for at in rare:
            event = events[at]
            classified = classify(event) if event.type == "bounced" else None
            asked = late_bounces.asked_of(event) if find_late else late_bounces.NONE
            batch.negatives.append(NegativeEvent(offsets[at], times[at], event, classified, asked))
        if rare:
            events, times = _without(events, rare), _without(times, rare)
        if reporting:
            batch.delivered.note(events, times, reporting)
        if find_late:
            late_bounces.note_deliveries(batch.delivered, events, times)
        count_direct(batch.tally, events, [time // MINUTE_MS for time in times])

    return take


def _without(items: Sequence[T], places: Sequence[int]) -> list[T]:
    kept = [True] * len(items)
    for place in places:
        kept[place] = False
    return list(compress(items, kept))


def _believable(events: list[MailEvent], bounds: TimeBounds, now_ms: int) -> list[int] | None:
    """The times of all events in epoch ms, or None where one lies too far from now."""
    times = [epoch_ms(event.time) for event in events]
    if min(times) < now_ms - bounds.behind_ms or max(times) > now_ms + bounds.ahead_ms:
        return None
    return times


def _check_times(events: Sequence[MailEvent], times: Sequence[int], bounds: TimeBounds, now_ms: int) -> None:
    for event, time in zip(events, times, strict=True):
        if not -bounds.behind_ms <= time - now_ms <= bounds.ahead_ms:
            raise AdaptError(check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms) or "")


def _adapted(payload: bytes, adapt: Adapter, context: Context) -> list[MailEvent]:
    if len(payload) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(payload):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    return adapt(payload, context)


def take_listing(bounds: TimeBounds) -> BatchReader:
    """How messages of `mail.blocklistings` are taken."""

    def take(batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        batch.messages += len(payloads)
        batch.next_offset = offsets[-1] + 1
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                event = LISTING.decode(payload)
                reason = check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                reason = printable(plain(error))
            if reason:
                batch.dead.append(dead_letter(batch.source, payload, offset, now_ms, reason))
            else:
                batch.listings.append((offset, event))

    return take


def take_outside(adapt: ListingAdapter, context: Context, bounds: TimeBounds) -> BatchReader:
    """How messages of a topic of an outside blocklist monitor are taken: whole, or not at all."""

    def take(batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        batch.messages += len(payloads)
        batch.next_offset = offsets[-1] + 1
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                events = adapt(payload, context)
                reasons = [check_time(each, now_ms, bounds.ahead_ms, bounds.behind_ms) for each in events]
                reason = next(filter(None, reasons), None)
            except AdaptError as error:
                reason = str(error)
            if reason:
                batch.dead.append(dead_letter(batch.source, payload, offset, now_ms, reason))
            else:
                batch.listings += [(offset, each) for each in events]

    return take


def dead_letter(source: SourcePartition, payload: bytes, offset: int, now_ms: int, reason: str) -> DeadLetter:
    """The message as it goes to the dead-letter topic."""
    return DeadLetter(
        id=f"{source.name}@{offset}",
        topic=source.topic,
        source=source.name,
        partition=source.partition,
        offset=offset,
        time_ms=now_ms,
        reason=reason,
        payload=payload,
    )
