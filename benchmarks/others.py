"""Measures the contenders that say themselves when they are done: the raw client and other stream processors.

Here the loop, Bytewax, Quix Streams and Faust do a lighter job than the product: they decode each event and count it by
customer and minute, and store nothing but their own state. In benchmarks/same_work.py they do more.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.broker import BenchmarkError
from benchmarks.process import OTHERS, Process
from benchmarks.results import Run
from benchmarks.traffic import Expected, Message
from schemas.settings import Kafka
from schemas.times import HOUR_MS

START_S = 120.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Other:
    """A contender: its program, the interpreter it needs, and the fewest events/s it may be waited for."""

    name: str
    module: str
    python: Path | None = None
    least_rate: float = 200.0


RAW = Other("raw", "benchmarks.contenders.raw", least_rate=2_000.0)
LOOP = Other("loop", "benchmarks.contenders.loop", least_rate=2_000.0)
BYTEWAX = Other("bytewax", "benchmarks.contenders.bytewax_count", OTHERS)
QUIX = Other("quix", "benchmarks.contenders.quix_count", OTHERS)
FAUST = Other("faust", "benchmarks.contenders.faust_count")


def measure(kafka: Kafka, other: Other, topic: str, expected: Expected, name: str = "") -> Run:
    """Let it work off so many events.

    Raises:
        BenchmarkError: it failed or did not end, or found another number of events or windows.
    """
    events = expected.events
    group = f"bench-{other.name}-{next(_numbers)}-{int(time.time())}"
    arguments = [kafka.bootstrap, group, topic, events]
    with Process(other.module, arguments, python=other.python) as process:
        first = process.mark("first", START_S)
        done = process.mark("done", START_S + events / other.least_rate)
        run = Run(
            contender=name or other.name,
            events=events,
            bytes=expected.bytes,
            seconds=done["at"] - first["at"],
            cpu_seconds=done["cpu"] - first["cpu"],
            peak_bytes=process.peak_bytes,
        )
        process.end()
    for what, found, wanted in (
        ("events", done["events"], events),
        ("bytes", done.get("bytes"), expected.bytes),
        ("windows", done.get("windows"), len(expected.rows)),
    ):
        if found not in (None, wanted):
            raise BenchmarkError(f"{other.name}: found {found:,} {what}, {wanted:,} were produced")
    return run


def closing(messages: Iterator[Message]) -> Iterator[Message]:
    """The messages, then one more for each customer, an hour later: it closes the windows of those before. Its id is
    new, or it would be left out where repetitions are."""
    last: dict[bytes, Message] = {}
    latest = 0
    for message in messages:
        yield message
        last[message.key] = message
        latest = message.time_ms
    for message in last.values():
        value = message.value.replace(b'{"id":"', b'{"id":"closing-', 1)
        yield message._replace(value=value, time_ms=latest + HOUR_MS)
