"""What one source partition has brought since its last flush: events in, a batch to store out. Pure.

A message is taken whole or not at all: if one of its events is bad, none of them counts and the message becomes
a dead letter with its bytes, so that a mended message can be sent again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from schemas.dead_letter import DeadLetter
from schemas.event import MAX_EVENT_BYTES, NEGATIVE_TYPES, MailEvent
from schemas.listing import BlocklistEvent
from streams.adapt import Adapter, AdaptError, Context
from streams.adapt.validate import check_time
from streams.classify import Classified, Classifier
from streams.count import Columns, Tallies, tally

LISTING = msgspec.json.Decoder(BlocklistEvent)


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far an event's time may lie from now, in ms."""

    ahead_ms: int
    behind_ms: int


@dataclass(frozen=True, slots=True)
class Detail:
    """A negative event as it is kept for evidence."""

    position: int
    time_ms: int
    event: MailEvent
    classified: Classified | None


@dataclass(slots=True)
class Batch:
    """The unflushed part of one source partition.

    `position` is the offset at which it begins: one after the last stored offset. `next_offset` is one after
    the last message taken. `source` is topic, topic id and partition.
    """

    source: str
    topic: str
    partition: int
    position: int
    next_offset: int
    tallies: Tallies = field(default_factory=dict)
    details: list[Detail] = field(default_factory=list)
    listings: list[tuple[int, BlocklistEvent]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    messages: int = 0

    @property
    def customers(self) -> set[str]:
        """Whose counts this batch changes."""
        return {key[0] for key in self.tallies}

    def restart(self, position: int) -> None:
        """Forget everything taken and go on at `position`."""
        self.position = self.next_offset = position
        self.tallies = {}
        self.details = []
        self.listings = []
        self.dead = []
        self.messages = 0


#: Takes one message: its batch, its bytes, its offset, the time now (epoch ms).
Take = Callable[[Batch, bytes, int, int], None]


def take_mail(adapt: Adapter, context: Context, classify: Classifier, bounds: TimeBounds) -> Take:
    """How messages of a topic with mail events are taken: adapt, check, classify, count."""

    def take(batch: Batch, payload: bytes, offset: int, now_ms: int) -> None:
        batch.messages += 1
        batch.next_offset = offset + 1
        try:
            events = _checked(payload, adapt, context, bounds, now_ms)
        except AdaptError as error:
            batch.dead.append(dead_letter(batch, payload, offset, now_ms, str(error)))
            return
        for event in events:
            time_ms = event.time_ms
            classified = classify(event) if event.type == "bounced" else None
            tally(batch.tallies, event, time_ms, classified)
            if event.type in NEGATIVE_TYPES:
                batch.details.append(Detail(offset, time_ms, event, classified))

    return take


def _checked(payload: bytes, adapt: Adapter, context: Context, bounds: TimeBounds, now_ms: int) -> Sequence[MailEvent]:
    if len(payload) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(payload):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    events = adapt(payload, context)
    for event in events:
        if reason := check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms):
            raise AdaptError(reason)
    return events


def take_listing(bounds: TimeBounds) -> Take:
    """How messages of `mail.blocklistings` are taken."""

    def take(batch: Batch, payload: bytes, offset: int, now_ms: int) -> None:
        batch.messages += 1
        batch.next_offset = offset + 1
        try:
            event = LISTING.decode(payload)
            reason = check_time(event, now_ms, bounds.ahead_ms, bounds.behind_ms)
        except (msgspec.DecodeError, RecursionError) as error:
            reason = str(error)
        if reason:
            batch.dead.append(dead_letter(batch, payload, offset, now_ms, reason))
        else:
            batch.listings.append((offset, event))

    return take


def dead_letter(batch: Batch, payload: bytes, offset: int, now_ms: int, reason: str) -> DeadLetter:
    """The message as it goes to the dead-letter topic."""
    return DeadLetter(
        id=f"{batch.source}@{offset}",
        topic=batch.topic,
        source=batch.source,
        partition=batch.partition,
        offset=offset,
        time_ms=now_ms,
        reason=reason,
        payload=payload,
    )


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def detail_columns(details: list[Detail], source: str) -> Columns:
    """Columns of the `events` table."""
    events = [each.event for each in details]
    return {
        "customer": [e.customer for e in events],
        "time": [_time(each.time_ms) for each in details],
        "type": [e.type for e in events],
        "id": [e.id for e in events],
        "stream": [e.stream for e in events],
        "class": [e.stream_class for e in events],
        "message_id": [e.message_id for e in events],
        "recipient_hash": [e.recipient_hash for e in events],
        "recipient_domain": [e.recipient_domain for e in events],
        "provider": [e.provider for e in events],
        "sending_ip": [e.sending_ip for e in events],
        "ip_pool": [e.ip_pool for e in events],
        "from_domain": [e.from_domain for e in events],
        "campaign": [e.campaign for e in events],
        "smtp_code": [max(0, min(e.smtp_code, 65535)) for e in events],
        "enhanced_status": [e.enhanced_status for e in events],
        "diagnostic": [e.diagnostic for e in events],
        "bounce_class": [each.classified.bounce_class if each.classified else "" for each in details],
        "bounce_kind": [each.classified.kind if each.classified else "" for each in details],
        "feedback_type": [e.feedback_type for e in events],
        "asynchronous": [e.asynchronous for e in events],
        "source": [source] * len(details),
        "position": [each.position for each in details],
    }


def listing_columns(listings: list[tuple[int, BlocklistEvent]], source: str) -> Columns:
    """Columns of the `listing_events` table."""
    events = [event for _, event in listings]
    return {
        "resource": [e.resource for e in events],
        "kind": [e.kind for e in events],
        "zone": [e.zone for e in events],
        "time": [_time(e.time_ms) for e in events],
        "type": [e.type for e in events],
        "weight": [e.weight for e in events],
        "codes": [list(e.codes) for e in events],
        "meaning": [e.meaning for e in events],
        "reason": [e.reason for e in events],
        "confirmed": [e.confirmed for e in events],
        "id": [e.id for e in events],
        "source": [source] * len(events),
        "position": [offset for offset, _ in listings],
    }


def dead_letter_columns(dead: list[DeadLetter]) -> Columns:
    """Columns of the `dead_letters` table."""
    return {
        "topic": [d.topic for d in dead],
        "source": [d.source for d in dead],
        "position": [d.offset for d in dead],
        "time": [_time(d.time_ms) for d in dead],
        "reason": [d.reason for d in dead],
        "payload": [d.payload for d in dead],
    }
