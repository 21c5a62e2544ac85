"""When the customers of a flush are announced."""

from typing import Any, cast

from streams.intake.flusher import Flusher
from streams.intake.metrics import IngestMetrics
from streams.io.broker import Publisher
from streams.io.changes import customers_in
from streams.io.store import Store

NOW = 1_795_000_000_000


class Announced:
    """Stands in for the publisher."""

    def __init__(self) -> None:
        self.customers: list[str] = []

    def partitions(self, _topic: str) -> int:
        return 6

    def publish(self, _topic: str, _key: bytes, value: bytes, *_: Any) -> None:
        self.customers += customers_in(value)


def test_flush_that_begins_a_little_early_announces_its_customers_all_the_same() -> None:
    """They were left to the flush after, a second later: flushes come about as far apart as the debounce is long."""
    sent = Announced()
    flusher = Flusher(cast(Store, None), cast(Publisher, sent), 1.0, IngestMetrics(), lambda: NOW, lease_s=30.0)
    counts = []
    for at_ms in (0, 995, 1_300, 2_000):
        flusher._changed.pending.add("acme")
        flusher._announce(NOW + at_ms)
        counts.append(len(sent.customers))
    flusher.close()
    assert counts == [1, 2, 2, 3]
