"""The rows of what is kept one by one: negative events, listings, dead letters. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from schemas.dead_letter import DeadLetter
from schemas.listing import BlocklistEvent
from schemas.times import SECOND_MS, epoch_ms, utc_time
from streams.intake.batch import NegativeEvent
from streams.intake.count import identity
from streams.intake.stated import sent_day

Columns = dict[str, list[Any]]


def detail_table(pairs: Sequence[tuple[str, NegativeEvent]]) -> pa.Table:
    """Rows of the `events` table, from pairs of source and event."""
    kept = [detail for _, detail in pairs]
    events = [each.event for each in kept]
    texts = {
        name: pa.array([getattr(e, name) for e in events], pa.string())
        for name in (
            "customer", "type", "id", "stream", "message_id", "recipient_hash", "recipient_domain", "provider",
            "sending_ip", "ip_pool", "from_domain", "campaign", "enhanced_status", "diagnostic", "feedback_type",
        )
    }  # fmt: skip
    return pa.table(
        {
            **texts,
            "time": pa.array([each.time_ms for each in kept], pa.timestamp("ms", "UTC")),
            "class": [e.stream_class for e in events],
            "smtp_code": pa.array([max(0, min(e.smtp_code, 65535)) for e in events], pa.uint16()),
            "bounce_class": [each.classified.bounce_class if each.classified else "" for each in kept],
            "bounce_kind": [each.classified.kind if each.classified else "" for each in kept],
            "asynchronous": [e.asynchronous for e in events],
            "sent_day": pa.array([sent_day(e) for e in events], pa.uint16()),
            "sent": pa.array([epoch_ms(e.sent) // SECOND_MS for e in events], pa.uint32()),
            "source": [source for source, _ in pairs],
            "position": pa.array([each.position for each in kept], pa.int64()),
        }
    )


def negative_id_table(pairs: Sequence[tuple[str, NegativeEvent]], now_ms: int) -> pa.Table:
    """Rows of the `negative_ids` table, from pairs of source and event."""
    return pa.table(
        {
            "hash": pa.array([identity(detail.event) for _, detail in pairs], pa.uint64()),
            "source": [source for source, _ in pairs],
            "position": pa.array([detail.position for _, detail in pairs], pa.int64()),
            "came": pa.array([now_ms // SECOND_MS] * len(pairs), pa.uint32()),
        }
    )


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
