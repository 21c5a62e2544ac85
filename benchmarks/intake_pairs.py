"""How `repmon ingest` compares with that of an earlier commit: both in turn, on one broker, each into a new store.

    python -m benchmarks.intake_pairs 1006786 --pairs 5

The commit is checked out into a temporary folder. A pair is one run of it and one of the present files, one right
after the other over the same messages, so that other work on the machine disturbs both alike; what is told is the
median of the ratios pair by pair. What the present one stored is compared with what was produced, count by count; of
the earlier one the sum, since it may have counted in other minutes.

Three kinds of mail: an hour of 200 customers that waits to be read, as canonical events and as KumoMTA records; and, at
the rate at which it is sent, mail of 10,000 customers in the order of time, which both read at the same time.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks import ingest, results
from benchmarks.broker import BenchmarkError, Committed, create_topic, fill, kafka
from benchmarks.judged import checked_out
from benchmarks.process import ROOT, Process
from benchmarks.results import Figure, Run
from benchmarks.throughput import LOGS, filled, shown
from benchmarks.traffic import Expected, Message, steady
from benchmarks.verify import verify
from schemas.settings import Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS

COMMIT = "1006786"
PROGRAM = ROOT / "benchmarks" / "contenders" / "commit_ingest.py"
KINDS = ("canonical", "kumomta", "offered")
#: Columns that every commit has had; each event that counts is in one of them.
SUMMED = """
import sys
from pathlib import Path
try:
    from streams.store import open_store
except ModuleNotFoundError:
    from streams.io.store import open_store
from schemas.settings import ClickHouse
store = open_store(ClickHouse(path=sys.argv[1]))
print(store.rows("SELECT sum(delivered + hard + soft + block + expired + complained + unsubscribed + deferred"
    " + suppressed + rejected + reported) FROM counts WHERE dimension = 'provider'")[0][0])
store.close()
"""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Side:
    """One run of one of the two. `rows` are those of counts that it inserted, `inserts` all its INSERTs."""

    run: Run
    rows: int
    inserts: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, its group, and the file in which it keeps how much it inserted."""

    process: Process
    group: str
    file: Path

    def side(self, run: Run) -> Side:
        """The run, with what was inserted."""
        stored = json.loads(self.file.read_text())
        return Side(run, stored["rows"], stored["inserts"])


@contextmanager
def at_work(kafka_settings: Kafka, job: ingest.Job, tree: Path, folder: str) -> "Iterator[Worker]":
    """A worker of the commit in `tree` over a new store in `folder`."""
    group = f"pairs-{next(_numbers)}-{int(time.time())}"
    environ = {
        "PYTHONPATH": str(tree),
        "REPMON_KAFKA__BOOTSTRAP": kafka_settings.bootstrap,
        "REPMON_KAFKA__GROUP": group,
        "REPMON_INGEST__FORMATS": json.dumps({job.topic: job.format_name}),
        "REPMON_INGEST__HASH_KEY": "a key for benchmarks",
        "REPMON_CLICKHOUSE__PATH": folder,
    }
    with tempfile.TemporaryDirectory(prefix="repmon-rows-") as rows:
        file = Path(rows) / "rows.json"
        program = [sys.executable, str(PROGRAM), str(file)]
        subprocess.run(
            [*program, "migrate"],
            env={**os.environ, **environ},
            input=b"go\n",
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        with Process(PROGRAM, [file, "ingest"], environ=environ) as worker:
            yield Worker(worker, f"{group}-ingest", file)


def measure(kafka_settings: Kafka, job: ingest.Job, tree: Path) -> Side:
    """Let the worker in `tree` work off a topic that is filled.

    Raises:
        BenchmarkError: it failed or did not end, or its counts are wrong.
    """
    with tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
        with at_work(kafka_settings, job, tree, folder) as worker:
            committed = Committed(kafka_settings, worker.group, job.topic)
            found = worker.side(ingest.timed([worker.process], None, committed, job))
        check(folder, tree, job.expected)
    return found


def check(folder: str, tree: Path, expected: Expected) -> None:
    """Compare what is stored with what was produced.

    Raises:
        BenchmarkError: they differ.
    """
    if tree == ROOT:
        verify(folder, expected)
        return
    done = subprocess.run(
        [sys.executable, "-c", SUMMED, folder],
        env={"PYTHONPATH": str(tree)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = expected.events - expected.repeated
    if done.returncode or int(done.stdout) != wanted:
        raise BenchmarkError(f"{tree.name} counted {done.stdout.strip()} of {wanted}\n{done.stderr}")


def measure_offered(
    kafka_settings: Kafka, messages: list[Message], expected: Expected, rate: int, trees: Mapping[str, Path]
) -> dict[str, Side]:
    """Send the messages at a rate (a second) while the workers of all trees read them at the same time.

    Raises:
        BenchmarkError: one failed or did not end, or its counts are wrong.
    """
    job = ingest.Job("offered", f"bench.offered.{next(_numbers)}", "canonical", expected)
    create_topic(kafka_settings, job.topic)
    found: dict[str, Side] = {}

    def one(name: str, tree: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
            with at_work(kafka_settings, job, tree, folder) as worker:
                worker.process.mark("ready", ingest.START_S)
                ready.wait()
                worker.process.go()
                first = worker.process.mark("first", ingest.START_S)
                sent.wait()
                committed = Committed(kafka_settings, worker.group, job.topic)
                found[name] = worker.side(ingest.finish([worker.process], None, committed, job, [first]))
            check(folder, tree, expected)

    ready, sent = threading.Barrier(len(trees) + 1), threading.Event()
    threads = [threading.Thread(target=one, args=each, daemon=True) for each in trees.items()]
    for thread in threads:
        thread.start()
    try:
        ready.wait(ingest.START_S)
        fill(kafka_settings, job.topic, paced(messages, rate))
    finally:
        sent.set()
        for thread in threads:
            thread.join()
    if missing := trees.keys() - found.keys():
        raise BenchmarkError(f"no result of {', '.join(map(repr, missing))}")
    return found


def paced(messages: Iterable[Message], rate: int) -> Iterator[Message]:
    """The messages, no faster than so many a second."""
    began = time.monotonic()
    for number, each in enumerate(messages):
        if number % 200 == 0 and (early := began + number / rate - time.monotonic()) > 0:
            time.sleep(early)
        yield each


def figures(kind: str, commit: str, pairs: list[tuple[Side, Side]]) -> Iterator[Figure]:
    """What came of one kind of mail: of each pair the earlier commit's run first."""
    note = f"median of {len(pairs)} pairs"
    ours = [now for _, now in pairs]
    if kind != "offered":
        rates = [now.run.rate / before.run.rate for before, now in pairs]
        yield Figure(name=f"{kind}: events/s", value=median(rates), unit=f"times {commit}", note=spread(rates, note))
        rate = median(each.run.rate for each in ours)
        yield Figure(name=f"{kind}: events/s, absolute", value=rate, unit="events/s", note=note)
    cpu = [before.run.cpu_per_million / now.run.cpu_per_million for before, now in pairs]
    yield Figure(name=f"{kind}: events a CPU second", value=median(cpu), unit=f"times {commit}", note=spread(cpu, note))
    used = median(each.run.cpu_per_million for each in ours)
    yield Figure(name=f"{kind}: CPU, absolute", value=used, unit="CPU s a million", note=note)
    before, now = (median(side.rows / side.run.events for side in some) for some in zip(*pairs, strict=True))
    note = f"{before:.2f} at {commit}"
    yield Figure(name=f"{kind}: rows of counts", value=now, unit="rows an event", note=note)


def spread(ratios: list[float], note: str) -> str:
    """The note, and from where to where the ratios go."""
    return f"{note}, {min(ratios):.2f} to {max(ratios):.2f}"


def main(arguments: list[str]) -> None:
    """Measure each kind of mail, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default=COMMIT, help="the earlier commit")
    parser.add_argument("--events", type=int, default=1_000_000, help="events that wait to be read")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--rate", type=int, default=20_000, help="events a second of the mail that is offered")
    parser.add_argument("--seconds", type=int, default=60, help="for how long it is offered")
    parser.add_argument("--customers", type=int, default=10_000, help="whose mail it is")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found: list[Figure] = []
    with ExitStack() as stack:
        broker = stack.enter_context(kafka())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-pairs-")))
        earlier = stack.enter_context(checked_out(chosen.commit, folder))
        trees = {chosen.commit: earlier, "": ROOT}
        for kind in chosen.kinds:
            pairs = []
            if kind == "offered":
                expected = Expected()
                messages = list(
                    steady(chosen.customers, chosen.rate * chosen.seconds, chosen.rate, utc_now_ms(), expected)
                )
                both = measure_offered(broker.settings, messages, expected, chosen.rate, trees)
                pairs = [(both[chosen.commit], both[""])]
                for side in pairs[0]:
                    shown(side.run)
            else:
                topic = LOGS if kind == "kumomta" else MAIL_EVENTS
                job = filled(broker.settings, kind, topic, kind, chosen.events)
                for _ in range(chosen.pairs):
                    before, now = (measure(broker.settings, job, tree) for tree in trees.values())
                    shown(before.run)
                    shown(now.run)
                    pairs.append((before, now))
            for each in figures(kind, chosen.commit, pairs):
                print(f"  {each.name}: {each.value:,.2f} {each.unit}  ({each.note})", flush=True)
                found.append(each)
    command = shlex.join(["python", "-m", "benchmarks.intake_pairs", *arguments])
    results.save("intake_pairs", command, figures=found, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
