"""How long it takes to erase a recipient, and one customer among ten thousand, with a month of counts, evidence and
alerts.

The store is that of `benchmarks.dashboards`. Several customers are erased one after another, so that
nothing is gained from what an erasure before left.

    python -m benchmarks.erase [--customers 10000] [--days 30] [--erased 3] [--store FOLDER]
"""

import argparse
import os
import shlex
import sys
import tempfile
import time
from contextlib import ExitStack

from benchmarks import results
from benchmarks.dashboards import DAYS, fill
from benchmarks.results import Figure
from benchmarks.stored import settle
from jobs.data.erasure import erase_customer, erase_recipient
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms, utc_time
from streams.adapt.canonical import hash_recipient
from streams.io.store import Store, open_store

KEY, ADDRESS = "k" * 32, "ann@example.com"


def erased_recipient(store: Store) -> list[Figure]:
    """How long a recipient takes of whom one refusal is stored, among all others."""
    hashed = hash_recipient(ADDRESS, KEY.encode())
    row = {"customer": "customer-1", "time": utc_time(utc_now_ms()), "id": "refused", "recipient_hash": hashed}
    store.insert("events", {name: [value] for name, value in row.items()})
    store.run("OPTIMIZE TABLE events FINAL")  # so that the row is in the largest file, which is rewritten for it
    began, cpu_began = time.perf_counter(), time.process_time()
    found = erase_recipient(store, ADDRESS, key=KEY, by="bench", why="bench", dry_run=False)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    assert found.is_complete and found.rows  # noqa: S101 - a benchmark
    print(f"  a recipient: {took:.1f} s, {cpu:.1f} s CPU", flush=True)
    return [
        Figure(name="erasing a recipient", value=took, unit="s", note=f"{found.rows} row of it"),
        Figure(name="the same, CPU", value=cpu, unit="s", note="engine and command"),
    ]


def main(arguments: list[str]) -> None:
    """Fill, erase, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS, help="of counts")
    parser.add_argument("--erased", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="whose number is the first, in a store that is used again")
    parser.add_argument("--store", default="", help="a folder for the store that is kept and used again")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = chosen.store or stack.enter_context(tempfile.TemporaryDirectory(prefix="repmon-erase-"))
        settings = ClickHouse(path=folder, timeout_s=600)
        migrate(settings)
        store = open_store(settings)
        stack.callback(store.close)
        fill(store, chosen.customers, chosen.days)
        held = settle(store)
        note = f"{chosen.customers:,} customers, {chosen.days} days, {held.rows:,} rows of counts"
        print(f"  {note}", flush=True)
        recipient = erased_recipient(store)
        took, cpu, rows = [], [], 0
        for number in range(chosen.erased):
            began, cpu_began = time.perf_counter(), time.process_time()
            found = erase_customer(
                store,
                f"customer-{chosen.first + number}",
                key=KEY,
                over=[],
                by="bench",
                why="bench",
                dry_run=False,
                forgotten_s=0,
                wait=lambda _: None,
            )
            took.append(time.perf_counter() - began)
            cpu.append(time.process_time() - cpu_began)
            assert found.is_complete  # noqa: S101 - a benchmark
            rows = found.rows
            slow = ", ".join(f"{each.table} {each.before:,}" for each in found.tables if each.before)
            print(f"  {took[-1]:.1f} s, {cpu[-1]:.1f} s CPU: {slow}", flush=True)
    asked = [each for each in arguments if each not in ("--store", chosen.store)]
    command = shlex.join(["python", "-m", "benchmarks.erase", *asked])
    figures = [
        Figure(name="erasing a customer, at most", value=max(took), unit="s", note=f"{note}; {rows:,} rows of it"),
        Figure(name="the same, CPU", value=max(cpu), unit="s", note="engine and command"),
        *recipient,
        Figure(name="processes that ran or waited to", value=os.getloadavg()[1], unit="", note="load of 5 min"),
    ]
    results.save("erase", command, figures=figures, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
