"""The rows of what is kept one by one: negative events, listings, dead letters. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.dead_letter import DeadLetter
from schemas.listing import BlocklistEvent
from schemas.times import epoch_ms, utc_time
from streams.intake.batch import NegativeEvent
from streams.intake.count import identity
from streams.intake.stated import sent_day

Columns = dict[str, list[Any]]


def detail_columns(details: Iterable[tuple[str, NegativeEvent]]) -> Columns:
    """Columns of the `events` table, from pairs of source and event."""
    pairs = list(details)
    kept = [detail for _, detail in pairs]
    events = [each.event for each in kept]
    return {
        "customer": [e.customer for e in events],
        "time": [utc_time(each.time_ms) for each in kept],
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
        "bounce_class": [each.classified.bounce_class if each.classified else "" for each in kept],
        "bounce_kind": [each.classified.kind if each.classified else "" for each in kept],
        "feedback_type": [e.feedback_type for e in events],
        "asynchronous": [e.asynchronous for e in events],
        "sent_day": [sent_day(e) for e in events],
        "sent": [utc_time(epoch_ms(e.sent)) for e in events],
        "source": [source for source, _ in pairs],
        "position": [each.position for each in kept],
    }


def negative_id_columns(details: Iterable[tuple[str, NegativeEvent]], now_ms: int) -> Columns:
    """Columns of the `negative_ids` table, from pairs of source and event."""
    pairs = list(details)
    return {
        "hash": [identity(detail.event) for _, detail in pairs],
        "source": [source for source, _ in pairs],
        "position": [detail.position for _, detail in pairs],
        "came": [utc_time(now_ms)] * len(pairs),
    }


def listing_columns(listings: Iterable[tuple[str, int, BlocklistEvent]]) -> Columns:
    """Columns of the `listing_events` table, from source, offset and event."""
    rows = list(listings)
    events = [event for _, _, event in rows]
    return {
        "resource": [e.resource for e in events],
        "kind": [e.kind for e in events],
        "zone": [e.zone for e in events],
        "time": [utc_time(e.time_ms) for e in events],
        "type": [e.type for e in events],
        "weight": [e.weight for e in events],
        "codes": [list(e.codes) for e in events],
        "meaning": [e.meaning for e in events],
        "reason": [e.reason for e in events],
        "confirmed": [e.confirmed for e in events],
        "monitor": [e.monitor for e in events],
        "id": [e.id for e in events],
        "source": [source for source, _, _ in rows],
        "position": [offset for _, offset, _ in rows],
    }


def dead_letter_columns(dead: Sequence[DeadLetter]) -> Columns:
    """Columns of the `dead_letters` table."""
    return {
        "topic": [d.topic for d in dead],
        "source": [d.source for d in dead],
        "position": [d.offset for d in dead],
        "time": [utc_time(d.time_ms) for d in dead],
        "reason": [d.reason for d in dead],
        "payload": [d.payload for d in dead],
    }
