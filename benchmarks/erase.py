"""How long it takes to erase one customer among ten thousand, with a month of counts, evidence and alerts.

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
from jobs.data.erasure import erase_customer
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import open_store


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
        took, cpu, rows = [], [], 0
        for number in range(chosen.erased):
            began, cpu_began = time.perf_counter(), time.process_time()
            found = erase_customer(
                store,
                f"customer-{chosen.first + number}",
                key="k" * 32,
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
        Figure(name="processes that ran or waited to", value=os.getloadavg()[1], unit="", note="load of 5 min"),
    ]
    results.save("erase", command, figures=figures, trial=chosen.trial)


if __name__ == "__main__":
    main(sys.argv[1:])
