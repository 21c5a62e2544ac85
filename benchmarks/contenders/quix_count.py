"""Quix Streams: events per customer and minute, as its documentation has it (tumbling windows, message time).

Guide: https://quix.io/docs/quix-streams/windowing.html . The key of the messages is the customer, so nothing has
to be grouped again. A window closes when a later message of its customer comes: the topic ends with one for each.
"""

import sys
import tempfile
from datetime import timedelta
from typing import Any

from benchmarks.contenders.marks import FETCH_ON, clock_consumers, mark

clock_consumers()

from quixstreams import Application  # noqa: E402


def main(bootstrap: str, group: str, topic: str, events: int) -> None:
    """Count until all closed windows together hold so many events."""
    counted = windows = 0

    def add(window: dict[str, Any]) -> None:
        nonlocal counted, windows
        counted += window["value"]
        windows += 1
        if counted >= events:
            mark("done", events=counted, windows=windows)
            app.stop()

    with tempfile.TemporaryDirectory(prefix="repmon-quix-") as state:
        app = Application(
            broker_address=bootstrap,
            consumer_group=group,
            auto_offset_reset="earliest",
            consumer_extra_config=dict(FETCH_ON),
            state_dir=state,
            loglevel="WARNING",
        )
        source = app.topic(topic, key_deserializer="str", value_deserializer="json")
        counts = app.dataframe(source).tumbling_window(timedelta(minutes=1)).count().final()
        counts.update(add)
        app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
