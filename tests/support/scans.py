"""Scans of blocklists: what was sent from, what is kept of an answer, and what a scan says."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import Scanner
from schemas.blocklist_settings import Blocklists
from schemas.listing import BlocklistEvent
from streams.intake.records import listing_columns
from streams.io.broker import BrokerError
from streams.io.store import Store

NOW = 1_764_576_000_000
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
#: The entry of RFC 5782's self-test, which every working list has.
TEST = "127.0.0.2 :127.0.0.2:test"


def sent_from(
    store: Store, *addresses: str, at_ms: int = NOW - MINUTE, customer: str = "acme", delivered: int = 100
) -> None:
    many = len(addresses)
    store.insert(
        "counts",
        {
            "dimension": ["ip"] * many,
            "customer": [customer] * many,
            "stream": ["default"] * many,
            "class": ["bulk"] * many,
            "bucket": [datetime.fromtimestamp(at_ms // MINUTE * 60, UTC)] * many,
            "value": list(addresses),
            "source": ["mail.events/1/0"] * many,
            "delivered": [delivered] * many,
        },
    )


def scan(
    store: Store, settings: Blocklists, now_ms: int, *, second_looks: bool = False, bounced_since_ms: int | None = None
) -> tuple[ScanResult, list[BlocklistEvent]]:
    """Scan, and put what was published into the store, as ingest does."""
    published: list[BlocklistEvent] = []

    def publish(key: bytes, value: bytes) -> None:
        event = msgspec.json.decode(value, type=BlocklistEvent)
        assert key == event.resource.encode()
        published.append(event)

    scanner = Scanner(store, settings, publish)
    result = scanner.second_looks(now_ms, bounced_since_ms) if second_looks else scanner.everything(now_ms)
    keep(store, published)
    return result, published


def keep(store: Store, events: Sequence[BlocklistEvent]) -> None:
    if events:
        store.insert(
            "listing_events", listing_columns(("mail.blocklistings/1/0", at, event) for at, event in enumerate(events))
        )


def said(events: Sequence[BlocklistEvent]) -> list[tuple[str, str, str]]:
    return sorted((each.type, each.resource, each.zone) for each in events)


class Broker:
    """A publisher that keeps what is sent, and may fail to have it acknowledged."""

    def __init__(self, *, fails: bool = False) -> None:
        self.sent: list[BlocklistEvent] = []
        self._fails = fails

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        assert topic == "mail.blocklistings"
        self.sent.append(msgspec.json.decode(value, type=BlocklistEvent))

    def flush(self) -> None:
        if self._fails:
            raise BrokerError("nobody acknowledges")
