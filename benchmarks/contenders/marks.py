"""How a contender says when it began and ended: one JSON line each on standard output.

Needs the standard library and confluent-kafka alone, since some contenders run in another environment.
"""

import json
import os
import sys
import time
from typing import Any

import confluent_kafka

#: By default librdkafka fetches nothing for a second once its queue is full, and a consumer that empties it faster than
#: that waits. All contenders get this; the product is measured as it is.
FETCH_ON = {"fetch.queue.backoff.ms": "20"}


def mark(what: str, **values: object) -> None:
    """Say that something happened just now, and how much processor time this process has used so far."""
    times = os.times()
    line = {"mark": what, "at": time.monotonic(), "cpu": sum(times[:4]), **values}
    os.write(1, json.dumps(line).encode() + b"\n")  # Faust makes sys.stdout a log


def wait_for_go() -> None:
    """Say that everything is imported, and wait for a line on standard input."""
    mark("ready")
    sys.stdin.readline()


class Clocked(confluent_kafka.Consumer):
    """A consumer that says when the first message came. From then on it is the plain one again."""

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        """The first message comes alone, since a whole batch would be in the client's queue when it is complete."""
        messages: list[Any] = super().consume(1, timeout)
        if any(message.error() is None for message in messages):
            _first()
        return messages

    def poll(self, *args: Any, **options: Any) -> Any:
        """One message, or none."""
        message = super().poll(*args, **options)
        if message is not None and message.error() is None:
            _first()
        return message


def _first() -> None:
    if "consume" in Clocked.__dict__:
        del Clocked.consume, Clocked.poll
        mark("first")


def clock_consumers() -> None:
    """Every consumer made after this is a clocked one. Call it before the import of what is measured."""
    confluent_kafka.Consumer = Clocked  # type: ignore[misc]
