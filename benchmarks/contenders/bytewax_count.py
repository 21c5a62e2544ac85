"""Bytewax: events per customer and minute, as its documentation has it (tumbling windows, event time).

Guide: https://docs.bytewax.io/stable/guide/concepts/windowing.html
"""

import sys
from datetime import UTC, datetime, timedelta

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

import bytewax.operators as op  # noqa: E402
import msgspec  # noqa: E402
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage  # noqa: E402
from bytewax.dataflow import Dataflow  # noqa: E402
from bytewax.operators.windowing import EventClock, TumblingWindower, count_window  # noqa: E402
from bytewax.outputs import DynamicSink, StatelessSinkPartition  # noqa: E402
from bytewax.run import cli_main  # noqa: E402


class Event(msgspec.Struct):
    """The fields that are needed; decoding fewer is faster."""

    customer: str
    time: int


decode = msgspec.json.Decoder(Event).decode
Window = tuple[str, tuple[int, int]]


class Total(DynamicSink[Window]):  # type: ignore[misc]  # Any: bytewax is in .venv-bench alone
    """Adds the counts of all closed windows up."""

    counted = 0
    windows = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition[Window]:
        """One partition a worker; there is one worker."""
        return _Part()


class _Part(StatelessSinkPartition[Window]):  # type: ignore[misc]  # likewise
    def write_batch(self, items: list[Window]) -> None:
        Total.counted += sum(count for _, (_, count) in items)
        Total.windows += len(items)


def parse(message: KafkaSourceMessage[bytes, bytes]) -> Event:
    """The event in a message."""
    return decode(message.value)


def when(event: Event) -> datetime:
    """When an event happened."""
    return datetime.fromtimestamp(event.time / 1000, UTC)


def customer(event: Event) -> str:
    """By what is counted."""
    return event.customer


def dataflow(bootstrap: str, topic: str) -> Dataflow:
    """Source, decoding, windows, sink. The topic is read to its end, which closes all windows."""
    flow = Dataflow("per_customer_and_minute")
    messages = op.input("kafka", flow, KafkaSource([bootstrap], [topic], tail=False, add_config=FETCH_ON))
    events = op.map("decode", messages, parse)
    clock = EventClock(when, wait_for_system_duration=timedelta(seconds=10))
    minute = TumblingWindower(length=timedelta(minutes=1), align_to=datetime(2025, 1, 1, tzinfo=UTC))
    counts = count_window("count", events, clock, minute, customer)
    op.output("total", counts.down, Total())
    return flow


if __name__ == "__main__":
    cli_main(dataflow(sys.argv[1], sys.argv[3]))
    mark("done", events=Total.counted, windows=Total.windows)
