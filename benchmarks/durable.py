"""What it costs that what the embedded store has counted is soon on disk (`embedded.fsync`).

    python -m benchmarks.durable --how second --events 600000 --pairs 5

One worker takes the same topic in, with its store in its process on this machine's disk, without and with it by turns,
and by the ratio of each pair. Flushes are as large as `repmon up` has them at most.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from statistics import median

import msgspec

from api.stack.reading import ingest_worker
from api.stack.up import MOST_EVENTS
from benchmarks import results
from benchmarks.broker import Committed, kafka
from benchmarks.results import Figure
from benchmarks.throughput import filled
from jobs.embedded.durable import DiskSync, set_durable
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse, Ingest, Kafka, Settings
from schemas.topics import MAIL_EVENTS
from streams.io.store import open_store


def run_once(broker: Kafka, how: str, group: str) -> None:
    """Take the topic in; prints seconds of wall and processor."""
    with tempfile.TemporaryDirectory(prefix="repmon-store-") as folder:
        settings = Settings(
            kafka=msgspec.structs.replace(broker, group=group),
            clickhouse=ClickHouse(path=folder),
            ingest=Ingest(hash_key="a key for benchmarks", flush_events=MOST_EVENTS),
        )
        migrate(settings.clickhouse)
        store = open_store(settings.clickhouse)
        set_durable(store, how == "insert")
        store.close()
        sync = DiskSync(folder)
        if how == "second":
            sync.start()
        committed, stop = Committed(settings.kafka, f"{group}-ingest", MAIL_EVENTS), threading.Event()
        worker, store = ingest_worker(settings)

        def watch() -> None:
            while committed.left():
                time.sleep(0.05)
            stop.set()

        threading.Thread(target=watch, daemon=True).start()
        began, used = time.perf_counter(), time.process_time()
        worker.run(stop)
        print(time.perf_counter() - began, time.process_time() - used)
        if how == "second":
            sync.stop()
        store.close()


def main(arguments: list[str]) -> None:
    """Fill a topic, take it in by turns, print the pairs."""
    parser = argparse.ArgumentParser(description="What embedded.fsync costs.")
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--how", choices=("second", "insert"), default="second")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    parser.add_argument("--once", nargs=3, metavar=("BROKER", "HOW", "GROUP"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.once:
        address, how, group = chosen.once
        run_once(Kafka(bootstrap=address), how, group)
        return
    with kafka() as broker:
        filled(broker.settings, "ours", MAIL_EVENTS, "canonical", chosen.events)
        ratios = []
        for number in range(chosen.pairs):
            took = []
            for how in ("never", chosen.how) if number % 2 == 0 else (chosen.how, "never"):
                command = [sys.executable, "-m", "benchmarks.durable", "--once", broker.settings.bootstrap, how]
                done = subprocess.run([*command, f"pair{number}-{how}"], capture_output=True, text=True, check=True)
                wall, cpu = map(float, done.stdout.split())
                took.append((how, wall))
                print(f"pair {number + 1}, fsync {how}: {chosen.events / wall:,.0f} events/s, {cpu:.2f} CPU s")
            walls = dict(took)
            ratios.append(walls["never"] / walls[chosen.how])
        found = Figure(
            name=f"events/s with fsync {chosen.how}",
            value=median(ratios),
            unit="times never",
            note=f"median of {chosen.pairs} pairs: {', '.join(f'{each:.2f}' for each in ratios)}",
        )
        repeated = shlex.join(["python", "-m", "benchmarks.durable", *arguments])
        results.save("durable", repeated, figures=[found], trial=chosen.trial)
        print(f"{chosen.how}, of never: {', '.join(f'{each:.2f}' for each in ratios)}; median {median(ratios):.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
