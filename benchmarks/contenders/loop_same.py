"""The product's work in one hand-written loop: one thread, one dictionary, an INSERT a second.

A crash between an INSERT and its commit counts twice; the ids it remembers are gone with the process.
"""

import sys
import time

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

from benchmarks.contenders.same_work import Key, Sums, Unseen, checked, key_of, rows_of  # noqa: E402
from schemas.settings import Kafka  # noqa: E402
from streams.io.broker import consumer  # noqa: E402

BATCH = 1_000
FLUSH_S = 1.0


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Count so many messages."""
    sums, unseen = Sums(), Unseen()
    source = consumer(Kafka(bootstrap=bootstrap, group=group), "loop", **FETCH_ON)
    source.subscribe([topic])
    counts: dict[Key, int] = {}
    taken = counted = 0
    flushed = time.monotonic()
    while taken < events:
        messages = source.consume(min(BATCH, events - taken), 1.0)
        for message in messages:
            event = checked(message.value())
            if event is not None and unseen(event):
                key = key_of(event)
                counts[key] = counts.get(key, 0) + 1
        taken += len(messages)
        if counts and (taken >= events or time.monotonic() - flushed >= FLUSH_S):
            sums.add(rows_of(counts.items()))
            source.commit(asynchronous=False)
            counted += sum(counts.values())
            counts.clear()
            flushed = time.monotonic()
    mark("done", events=counted)
    source.close()
    sums.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
