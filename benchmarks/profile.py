"""Where the time of `repmon ingest` goes, step by step.

    python -m benchmarks.profile --events 500000 --format canonical

The worker runs as it is, against the broker and with the store in its process, but with a clock around each step that
`STEPS` names. A step's time does not contain that of the steps within it. Two threads work at the same time: one takes
messages in, the other stores. `wall` contains waiting, `CPU` is the step's own thread alone; what the client library
and the store use in threads of their own is reported as a sum. The clocks cost time themselves, mostly where a step
runs for each message, so the rate is not the product's.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from api.stack.reading import ingest_worker
from benchmarks.broker import BenchmarkError, Committed, kafka
from benchmarks.throughput import LOGS, filled
from benchmarks.traffic import FORMS
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse, Ingest, Settings
from schemas.topics import MAIL_EVENTS

LOOK_S = 0.1
#: What is timed: the step's name, and the function, where its caller finds it.
STEPS = (
    ("consume", "streams.io.broker:Consumer.consume"),
    ("hand out by partition", "streams.intake.ingest:IngestWorker._take"),
    ("decode and adapt", "streams.adapt.canonical:adapt_all"),
    ("decode and adapt", "streams.adapt.kumomta:adapt_all"),
    ("decode and adapt", "streams.intake.single:_adapted"),
    ("validate", "streams.intake.batch:_times_within"),
    ("validate", "streams.intake.bounds:check_times"),
    ("classify", "streams.bounces.classify:BounceClassifier.__call__"),
    ("count", "streams.intake.batch:count_direct"),
    ("leave repetitions out", "streams.intake.flush:_find_unseen"),
    ("leave repetitions out", "streams.intake.seen:SeenIds.add"),
    ("spread over dimensions", "streams.intake.flush:counts_table"),
    ("store evidence and ids", "streams.intake.flush:_store_before_counts"),
    ("insert (arrow)", "streams.io.store:Store.insert_table"),
    ("insert (native)", "streams.io.store:Store.insert"),
    ("read back", "streams.intake.flush:stored_offsets"),
    ("ask the store", "streams.io.store:Store.rows"),
    ("announce changes", "streams.intake.flusher:Flusher._announce"),
)


@dataclass
class Spent:
    """What one step took in one thread, in seconds."""

    calls: int = 0
    wall: float = 0.0
    cpu: float = 0.0


class Clocks:
    """Times functions, each without what it calls of the others."""

    def __init__(self) -> None:
        self.spent: dict[tuple[str, str], Spent] = {}
        self._own = threading.local()

    def around(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock around it."""

        def timed(*args: Any, **options: Any) -> Any:
            within: list[tuple[float, float]] = self._own.__dict__.setdefault("within", [])
            within.append((0.0, 0.0))
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return function(*args, **options)
            finally:
                wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
                wall_within, cpu_within = within.pop()
                if within:
                    within[-1] = (within[-1][0] + wall, within[-1][1] + cpu)
                found = self.spent.setdefault((threading.current_thread().name, step), Spent())
                found.calls += 1
                found.wall += wall - wall_within
                found.cpu += cpu - cpu_within

        return timed

    def install(self) -> None:
        """Put a clock around each step.

        Raises:
            BenchmarkError: a step's function is not there any more.
        """
        for step, where in STEPS:
            module, _, path = where.partition(":")
            owner: Any = import_module(module)
            *parents, name = path.split(".")
            try:
                for each in parents:
                    owner = _replaceable(owner, each)
                setattr(owner, name, self.around(step, getattr(owner, name)))
            except AttributeError as error:
                raise BenchmarkError(f"benchmarks.profile: there is no {where} any more") from error


def _replaceable(owner: Any, name: str) -> Any:
    """A class whose methods can be replaced: in place of one written in C, a subclass takes its name."""
    kind = getattr(owner, name)
    if kind.__flags__ & (1 << 9):  # Py_TPFLAGS_HEAPTYPE
        return kind
    setattr(owner, name, type(name, (kind,), {}))
    return getattr(owner, name)


def profile(settings: Settings, committed: Committed) -> tuple[Clocks, float, float]:
    """Let a worker take everything in; the clocks, and wall and processor seconds of the whole process."""
    clocks, stop = Clocks(), threading.Event()
    clocks.install()
    worker, store = ingest_worker(settings)

    def watch() -> None:
        while committed.left():
            time.sleep(LOOK_S)
        stop.set()

    threading.Thread(target=watch, name="watch", daemon=True).start()
    began, used = time.perf_counter(), time.process_time()
    try:
        worker.run(stop)
    finally:
        store.close()
    return clocks, time.perf_counter() - began, time.process_time() - used


def show(clocks: Clocks, events: int, wall: float, cpu: float) -> None:
    """Print what each step took, by thread, most first."""
    print(f"{events:,} events in {wall:.2f} s, {cpu:.2f} CPU s, {os.cpu_count()} cores")
    print(f"{'thread':12} {'step':24} {'calls':>9} {'wall s':>8} {'CPU s':>8} {'CPU us/event':>13}")
    for (thread, step), spent in sorted(clocks.spent.items(), key=lambda each: (each[0][0], -each[1].wall)):
        print(
            f"{thread[:12]:12} {step:24} {spent.calls:>9,} {spent.wall:>8.2f} {spent.cpu:>8.2f} "
            f"{spent.cpu / events * 1e6:>13.2f}"
        )
    rest = cpu - sum(spent.cpu for spent in clocks.spent.values())
    print(f"{'others':12} {'client, store, the rest':24} {'':>9} {'':>8} {rest:>8.2f} {rest / events * 1e6:>13.2f}")


def main(arguments: list[str]) -> None:
    """Fill a topic, run one worker on it, print."""
    parser = argparse.ArgumentParser(description="Where the time of ingest goes.")
    parser.add_argument("--events", type=int, default=500_000, help="events in the topic")
    parser.add_argument("--format", choices=sorted(FORMS), default="canonical", help="the format of the messages")
    chosen = parser.parse_args(arguments)
    topic = LOGS if chosen.format == "kumomta" else MAIL_EVENTS
    with kafka() as broker, tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
        filled(broker.settings, "ours", topic, chosen.format, chosen.events)
        settings = Settings(
            kafka=broker.settings,
            clickhouse=ClickHouse(path=folder),
            ingest=Ingest(formats={topic: chosen.format}, hash_key="a key for benchmarks"),
        )
        migrate(settings.clickhouse)
        committed = Committed(broker.settings, f"{settings.kafka.group}-ingest", topic)
        clocks, wall, cpu = profile(settings, committed)
    show(clocks, chosen.events, wall, cpu)


if __name__ == "__main__":
    main(sys.argv[1:])
