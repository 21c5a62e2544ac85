"""Faust: events per customer and minute, as its documentation has it (a windowed table, relative to the stream).

Guide: https://faust-streaming.github.io/faust/userguide/tables.html . In place of Faust's own JSON codec the
values are decoded by msgspec, which is faster.
"""

import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

import faust
import msgspec

from benchmarks.contenders.marks import mark
from schemas.topics import MAIL_EVENTS, load_topics

#: Windows are kept for as long as the run may take: all events are of the last two hours.
KEPT_S = 4 * 3600.0


class Event(msgspec.Struct):
    """The field that is needed; decoding fewer is faster."""

    customer: str


decode = msgspec.json.Decoder(Event).decode


def application(bootstrap: str, group: str, name: str, events: int, data: str) -> faust.App:
    """One agent and one table; ends the process when so many events are counted."""
    app = faust.App(
        group,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        topic_partitions=load_topics()[MAIL_EVENTS].partitions,
        datadir=Path(data),
        web_enabled=False,
    )
    topic = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table("counts", default=int)
    counts = table.tumbling(60.0, expires=KEPT_S).relative_to_stream()

    @app.agent(topic)
    async def count(stream: faust.StreamT[bytes]) -> None:
        seen = 0
        async for payload in stream:
            if not seen:
                mark("first")
            counts[decode(payload).customer] += 1
            seen += 1
            if seen == events:
                mark("done", events=sum(table.values()), windows=len(table))
                os.kill(os.getpid(), signal.SIGTERM)

    return app


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Run a worker on it."""
    logging.getLogger("faust").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="repmon-faust-") as data:
        app = application(bootstrap, group, topic, events, data)
        faust.Worker(app, loglevel="ERROR").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
