"""Bytewax with the product's work: ids in the state of a step, one window a customer and minute, a sink to the store.

One window holds the sums of all dimensions, and ids are looked at a batch at a time (`stateful_batch`, which its
documentation has for such cases): windows for each dimension, or a call for each id, would be far slower.
Guides: https://docs.bytewax.io/stable/guide/concepts/windowing.html
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

import bytewax.operators as op  # noqa: E402
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage  # noqa: E402
from bytewax.dataflow import Dataflow  # noqa: E402
from bytewax.operators import StatefulBatchLogic  # noqa: E402
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window  # noqa: E402
from bytewax.outputs import DynamicSink, StatelessSinkPartition  # noqa: E402
from bytewax.run import cli_main  # noqa: E402

from benchmarks.contenders.same_work import REMEMBERED, Event, Key, Sums, Unseen, checked, key_of, rows_of  # noqa: E402

#: Of each customer; all together no more than the others remember.
IDS = REMEMBERED // 100
#: The sink inserts once it holds so many sums.
MOST_SUMS = 100_000
Counts = dict[Key, int]
Window = tuple[str, tuple[int, Counts]]


class Store(DynamicSink[Window]):  # type: ignore[misc]  # Any: bytewax is in .venv-bench alone
    """Adds the counts of all closed windows to the store."""

    counted = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Window]:
        """One partition a worker; there is one worker."""
        return _Part()


class _Part(StatelessSinkPartition[Window]):  # type: ignore[misc]  # likewise
    def __init__(self) -> None:
        self._sums = Sums()
        self._counts: Counts = {}

    def write_batch(self, items: list[Window]) -> None:
        for _, (_, counts) in items:
            for key, count in counts.items():
                self._counts[key] = self._counts.get(key, 0) + count
        if len(self._counts) >= MOST_SUMS:
            self._insert()

    def close(self) -> None:
        self._insert()
        self._sums.close()

    def _insert(self) -> None:
        self._sums.add(rows_of(self._counts.items()))
        Store.counted += sum(self._counts.values())
        self._counts.clear()


class First(StatefulBatchLogic):  # type: ignore[misc]  # likewise
    """Lets through what did not come before of one customer."""

    def __init__(self, resumed: Unseen | None) -> None:
        self._unseen = resumed or Unseen(IDS)

    def on_batch(self, values: list[Event]) -> tuple[Iterable[Event], bool]:
        """Those that are new; the state is kept."""
        return list(filter(self._unseen, values)), StatefulBatchLogic.RETAIN

    def snapshot(self) -> Unseen:
        """What would be kept over a restart."""
        return self._unseen


def decode(messages: list[KafkaSourceMessage[bytes, bytes]]) -> list[Event]:
    """The events in messages."""
    return [event for event in (checked(message.value) for message in messages) if event is not None]


def when(event: Event) -> datetime:
    """When an event happened."""
    return datetime.fromtimestamp(event.time / 1000, UTC)


def customer(event: Event) -> str:
    """Whose it is."""
    return event.customer


def add(counts: Counts, event: Event) -> Counts:
    """Count it."""
    key = key_of(event)
    counts[key] = counts.get(key, 0) + 1
    return counts


def merge(one: Counts, other: Counts) -> Counts:
    """Two windows that turn out to be one; tumbling ones never do."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in one.keys() | other.keys()}


def dataflow(bootstrap: str, topic: str) -> Dataflow:
    """Source, decoding, new ids, windows, sink. The topic is read to its end, which closes all windows."""
    flow = Dataflow("same_work")
    messages = op.input("kafka", flow, KafkaSource([bootstrap], [topic], tail=False, add_config=FETCH_ON))
    events = op.key_on("customer", op.flat_map_batch("decode", messages, decode), customer)
    new = op.stateful_batch("new", events, First)
    clock = EventClock(when, wait_for_system_duration=timedelta(seconds=10))
    minute = TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2025, 1, 1, tzinfo=UTC))
    counts = fold_window("count", new, clock, minute, dict, add, merge)
    op.output("store", counts.down, Store())
    return flow


if __name__ == "__main__":
    cli_main(dataflow(sys.argv[1], sys.argv[3]))
    mark("done", events=Store.counted)
