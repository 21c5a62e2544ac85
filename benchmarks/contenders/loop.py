"""What the others do, written by hand: decode each event, count it by customer and minute in one dictionary."""

import sys

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark
from schemas.times import MINUTE_MS

clock_consumers()

import msgspec  # noqa: E402

from schemas.settings import Kafka  # noqa: E402
from streams.io.broker import consumer  # noqa: E402

BATCH = 10_000


class Event(msgspec.Struct, gc=False):
    """The fields that are needed; decoding fewer is faster."""

    customer: str
    time: int


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Count so many events."""
    decode = msgspec.json.Decoder(Event).decode
    source = consumer(Kafka(bootstrap=bootstrap, group=group), "loop", **FETCH_ON)
    source.subscribe([topic])
    counts: dict[tuple[str, int], int] = {}
    taken = 0
    while taken < events:
        messages = source.consume(min(BATCH, events - taken), 1.0)
        for message in messages:
            event = decode(message.value() or b"")
            key = event.customer, event.time // MINUTE_MS
            counts[key] = counts.get(key, 0) + 1
        taken += len(messages)
    mark("done", events=sum(counts.values()), windows=len(counts))
    source.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
