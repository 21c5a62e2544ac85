"""The limit: the product's own client takes the messages from the broker, and nothing is done with them."""

import sys

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

from schemas.settings import Kafka  # noqa: E402
from streams.io.broker import consumer  # noqa: E402

BATCH = 10_000


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Consume so many messages and add up their lengths."""
    source = consumer(Kafka(bootstrap=bootstrap, group=group), "raw", **FETCH_ON)
    source.subscribe([topic])
    taken = size = 0
    while taken < events:
        messages = source.consume(min(BATCH, events - taken), 1.0)
        size += sum(len(message.value() or b"") for message in messages)
        taken += len(messages)
    mark("done", events=taken, bytes=size)
    source.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
