"""How throughput grows with the number of `repmon ingest` processes on one broker and one store.

    python -m benchmarks.scaling --events 1000000

The store is served over HTTP by a process of its own, as a ClickHouse server would be. Broker, store and workers
share the machine, so the curve ends where its processors do; the store's share of them is reported next to it.
"""

import argparse
import shlex
import sys

from benchmarks import ingest, results
from benchmarks.broker import kafka
from benchmarks.results import Run
from benchmarks.throughput import filled, shown
from schemas.topics import MAIL_EVENTS

WORKERS = (1, 2, 4)


def main(arguments: list[str]) -> None:
    """Fill the topic, measure each number of workers several times in turn, print and save."""
    parser = argparse.ArgumentParser(description="Throughput of several ingest processes.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the topic")
    parser.add_argument("--repeats", type=int, default=3, help="how often each number of workers runs")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    runs: list[Run] = []
    with kafka() as broker:
        job = filled(broker.settings, "ours", MAIL_EVENTS, "canonical", chosen.events)
        for _ in range(chosen.repeats):
            runs += [shown(ingest.measure(broker.settings, job, workers, served=True)) for workers in WORKERS]
    command = shlex.join(["python", "-m", "benchmarks.scaling", *arguments])
    results.save("scaling", command, runs, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
