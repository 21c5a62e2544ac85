"""How fast a time is counted again, and what that makes of a day of 20,000 events/s.

    python -m benchmarks.recount [--events 2000000]

A worker takes a simulated hour in; then it is counted again from the broker, as `repmon recount --yes` does, in one
process with its store. Nothing may differ. Where others use the processors too, the clock says little, and processor
time is dearer too: what taking in the same messages took, just before, says how much. A day is reckoned from the
processor time.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time

from api.stack.reading import batch_readers, ingest_worker
from api.stack.running import tune_memory
from benchmarks import results
from benchmarks.broker import BenchmarkError, Committed, kafka
from benchmarks.results import Figure
from benchmarks.throughput import filled
from jobs.data.recount import Counter, RecountSpan, begin, discard, recount
from jobs.data.topic_messages import read_messages, read_partitions, stretches
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse, Ingest, Kafka, Settings
from schemas.times import DAY_S, HOUR_MS, utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.intake.batch import SourcePartition
from streams.intake.seen import SeenIds
from streams.io.store import open_store

#: Of a fleet whose day is reckoned, events/s.
RATE = 20_000
#: Longer than the simulated hour and what lies ahead of it.
SPAN_S = 4 * 3_600


def run_once(broker: Kafka) -> None:
    """Take the topic in and count it again; prints messages, seconds of wall and of processor, and of processor to take
    them in."""
    tune_memory()  # as both commands do
    with tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
        settings = Settings(
            kafka=broker, clickhouse=ClickHouse(path=folder), ingest=Ingest(hash_key="a key for benchmarks")
        )
        migrate(settings.clickhouse)
        committed, stop = Committed(settings.kafka, f"{broker.group}-ingest", MAIL_EVENTS), threading.Event()
        worker, store = ingest_worker(settings)

        def watch() -> None:
            while committed.left():
                time.sleep(0.2)
            stop.set()

        threading.Thread(target=watch, daemon=True).start()
        used = time.process_time()
        worker.run(stop)
        intake_cpu = time.process_time() - used
        store.close()
        now_s = utc_now_ms() // 60_000 * 60
        span = RecountSpan(now_s - SPAN_S, now_s + 60)
        with open_store(settings.clickhouse) as store:
            began, used = time.perf_counter(), time.process_time()
            partitions = read_partitions(settings.kafka, [MAIL_EVENTS])
            counted = begin(store, span, [each.source for each in partitions])
            wanted = stretches(settings.kafka, partitions, counted, span.since_s * 1000 - HOUR_MS)
            sources = {
                each.source: SourcePartition(
                    each.source, each.topic, each.partition, SeenIds(64_000_000), partitions=each.partitions
                )
                for each in partitions
            }
            first = {each.source: each.ids_from for each in wanted}
            counter = Counter(store, span, batch_readers(settings), sources, first, SeenIds(64_000_000))
            report, changed = recount(store, span, counter, read_messages(settings.kafka, wanted), put_in_place=True)
            discard(store)
            wall, cpu = time.perf_counter() - began, time.process_time() - used
        if changed or report.before != report.after:
            raise BenchmarkError(f"{len(changed)} customers are counted otherwise: {report}")
        print(report.messages, wall, cpu, intake_cpu)


def figures(messages: int, wall_s: float, cpu_s: float, intake_cpu_s: float) -> list[Figure]:
    """What one run found, and what a day makes of it."""
    day_s = cpu_s / messages * RATE * DAY_S
    return [
        Figure(name="counted again", value=messages, unit="messages", note="nothing differed"),
        Figure(name="events/s on the clock", value=messages / wall_s, unit=""),
        Figure(name="processor time a million", value=cpu_s / messages * 1e6, unit="s", note="engine and command"),
        Figure(name="the same to take them in", value=intake_cpu_s / messages * 1e6, unit="s", note="just before"),
        Figure(name="counting again / taking in", value=cpu_s / intake_cpu_s, unit="", note="processor time"),
        Figure(
            name=f"a day of {RATE:,} events/s, reckoned",
            value=day_s / 3_600,
            unit="h of one core",
            note=f"{day_s / DAY_S:.1%} of a day; a tenth is meant",
        ),
        Figure(name="processes that ran or waited to", value=os.getloadavg()[1], unit="", note="load of 5 min"),
    ]


def main(arguments: list[str]) -> None:
    """Fill a topic, take it in, count it again, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    parser.add_argument("--once", metavar="BROKER", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.once:
        run_once(Kafka(bootstrap=chosen.once, group="recounted"))
        return
    with kafka() as broker:
        filled(broker.settings, "ours", MAIL_EVENTS, "canonical", chosen.events)
        command = [sys.executable, "-m", "benchmarks.recount", "--once", broker.settings.bootstrap]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    messages, *seconds = done.stdout.split()
    found = figures(int(messages), *map(float, seconds))
    for each in found:
        print(f"  {each.name}: {each.value:,.2f} {each.unit} {each.note}")
    results.save(
        "recount", shlex.join(["python", "-m", "benchmarks.recount", *arguments]), figures=found, trial=chosen.trial
    )


if __name__ == "__main__":
    main(sys.argv[1:])
