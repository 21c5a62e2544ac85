"""Quix Streams with the product's work: ids in its state, one window a customer and minute, a batching sink.

One window holds the sums of all dimensions: a window for each would need the messages grouped and sent again for each.
State is kept as it is by default, in RocksDB with a changelog topic. Guides: https://quix.io/docs/quix-streams/windowing.html
and https://quix.io/docs/quix-streams/connectors/sinks/custom-sinks.html
"""

import sys
import tempfile
from datetime import timedelta
from typing import Any

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

from quixstreams import Application, State  # noqa: E402
from quixstreams.sinks.base import BatchingSink, SinkBatch  # noqa: E402

from benchmarks.contenders.same_work import Event, Key, Sums, checked, key_of, rows_of  # noqa: E402

#: State is JSON, so a key is joined by what names cannot hold.
APART = "\0"
Counts = dict[str, int]


class Store(BatchingSink):  # type: ignore[misc]  # Any: quixstreams is in .venv-bench alone
    """Adds closed windows to the store when a checkpoint is made; ends the run once so many events are counted."""

    def __init__(self, app: Application, events: int) -> None:
        super().__init__()
        self._sums = Sums()
        self._app = app
        self._left = events

    def write(self, batch: SinkBatch) -> None:
        """Insert what one partition gave since the last checkpoint."""
        counts: dict[Key, int] = {}
        for item in batch:
            for joined, count in item.value["value"].items():
                key = _key(joined)
                counts[key] = counts.get(key, 0) + count
        self._sums.add(rows_of(counts.items()))
        self._left -= sum(counts.values())
        if self._left <= 0:
            mark("done", left=self._left)
            self._app.stop()


def joined(event: Event) -> str:
    """What it is counted under, as the key of a JSON object."""
    return APART.join(map(str, key_of(event)))


def _key(text: str) -> Key:
    customer, stream, kind, minute, *names = text.split(APART)
    return Key(customer, stream, kind, int(minute), *names)


def unseen(event: Event | None, state: State) -> bool:
    """Whether it is an event that did not come before."""
    if event is None:
        return False
    name = f"{event.type} {event.id}"
    if state.exists(name):
        return False
    state.set(name, 1)
    return True


def first(event: Event) -> Counts:
    """A window's first event."""
    return {joined(event): 1}


def add(counts: Counts, event: Event) -> Counts:
    """A window's next event."""
    key = joined(event)
    counts[key] = counts.get(key, 0) + 1
    return counts


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Count until so many different events are stored."""
    with tempfile.TemporaryDirectory(prefix="repmon-quix-") as state:
        app = Application(
            broker_address=bootstrap,
            consumer_group=group,
            auto_offset_reset="earliest",
            consumer_extra_config=dict(FETCH_ON),
            state_dir=state,
            loglevel="WARNING",
        )
        source = app.topic(topic, key_deserializer="str", value_deserializer="bytes")
        new: Any = app.dataframe(source).apply(checked).filter(unseen, stateful=True)
        new.tumbling_window(timedelta(minutes=1)).reduce(add, first).final().sink(Store(app, events))
        app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
