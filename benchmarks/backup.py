"""How long a backup of many counts takes, and whether the store restored from it is equal.

    python -m benchmarks.backup [--gigabytes 10] [--store FOLDER]

The counts are those of `benchmarks.dashboards`, a month of 10,000 customers. To make them more their files are attached
again and again, which takes no time and no space on the disk; the backup and the restored store have all of
them as files of their own. Then sums of every customer and measure are compared, and the rows of every table.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks import results
from benchmarks.broker import BenchmarkError
from benchmarks.dashboards import DAYS, fill
from benchmarks.measure import Peak
from benchmarks.results import Figure
from benchmarks.stored import settle
from jobs.embedded.backup import create_backup
from jobs.embedded.restore import restore_backup
from jobs.setup.migrate import migrate
from schemas.counts import MEASURES
from schemas.settings import ClickHouse
from schemas.times import utc_now_ms
from streams.io.store import Store, open_store

SUMS = f"""
SELECT sum(cityHash64(dimension, customer, {", ".join(MEASURES)})), count() FROM
(
    SELECT dimension, customer, {", ".join(f"sum({name}) AS {name}" for name in MEASURES)}
    FROM counts GROUP BY dimension, customer
)
SETTINGS optimize_use_projections = 0
"""  # noqa: S608 - texts of this module
TABLES = """
SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""


def enlarge(store: Store, size: int) -> int:
    """Attach the counts' files again until they have so many bytes; returns how many they have."""
    held = settle(store)
    store.run("SYSTEM STOP MERGES counts")
    store.run("CREATE TABLE again AS counts")
    store.run("ALTER TABLE again ATTACH PARTITION tuple() FROM counts")
    for _ in range(max(0, round(size / held.bytes) - 1)):
        store.run("ALTER TABLE counts ATTACH PARTITION tuple() FROM again")
    store.run("DROP TABLE again SYNC")
    return settle(store).bytes


def shown(store: Store) -> list[object]:
    """What must be equal."""
    tables = [str(name) for (name,) in store.rows(TABLES)]
    rows = {name: store.rows(f"SELECT count() FROM {name} FINAL")[0][0] for name in tables if name != "counts"}  # noqa: S608
    return [rows, *map(list, store.rows(SUMS))]


def timed(what: str, work: Callable[[], object]) -> list[Figure]:
    """How long it took, in s and s of CPU, and the memory at most."""
    began, used = time.perf_counter(), time.process_time()
    with Peak() as peak:
        work()
    took, cpu = time.perf_counter() - began, time.process_time() - used
    print(f"  {what}: {took:.1f} s, {cpu:.1f} s CPU", flush=True)
    return [
        Figure(name=what, value=took, unit="s", note=f"{cpu:.1f} s CPU, {peak.bytes / 1e6:,.0f} MB of memory at most"),
    ]


def run_restore(backup: Path, folder: Path) -> None:
    """Restore, in a process of its own; prints figures and what the store shows."""
    found = timed(
        "restored",
        lambda: restore_backup(
            backup, folder / "restored", folder / "hash.key", replace=False, now_ms=utc_now_ms(), check=lambda _: None
        ),
    )
    with open_store(ClickHouse(path=str(folder / "restored"), timeout_s=600)) as store:
        (folder / "shown.json").write_bytes(msgspec.json.encode((found, shown(store))))


def main(arguments: list[str]) -> None:
    """Fill, back up, restore, compare, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=10.0, help="of counts")
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=DAYS, help="of counts, before their files are attached again")
    parser.add_argument("--store", default="", help="a folder with the store of another benchmark; it is changed")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    parser.add_argument("--restore", nargs=2, type=Path, metavar=("BACKUP", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.restore:
        run_restore(*chosen.restore)
        return
    with tempfile.TemporaryDirectory(prefix="repmon-backup-") as name:
        folder = Path(name)
        settings = ClickHouse(path=chosen.store or str(folder / "store"), timeout_s=600)
        migrate(settings)
        with open_store(settings) as store:
            fill(store, chosen.customers, chosen.days, only_counts=True)
            size = enlarge(store, round(chosen.gigabytes * 1e9))
            before = shown(store)
            print(f"  {size / 1e9:.2f} GB of counts", flush=True)
            figures = timed("backed up", lambda: create_backup(store, folder / "backups", folder / "none.key"))
        (made,) = (folder / "backups").iterdir()
        subprocess.run([sys.executable, "-m", "benchmarks.backup", "--restore", str(made), str(folder)], check=True)
        more, after = msgspec.json.decode((folder / "shown.json").read_bytes(), type=tuple[list[Figure], list[object]])
    if msgspec.json.encode(before) != msgspec.json.encode(after):
        raise BenchmarkError(f"restored otherwise: {before} before, {after} after")
    note = f"{chosen.customers:,} customers, {chosen.days} days, whose files were attached again and again"
    figures = [
        Figure(name="counts", value=size / 1e9, unit="GB", note=note),
        *figures,
        *more,
        Figure(name="tables and sums that differed", value=0, unit=""),
        Figure(name="processes that ran or waited to", value=os.getloadavg()[1], unit="", note="load of 5 min"),
    ]
    asked = [each for each in arguments if each not in ("--store", chosen.store)]
    results.save(
        "backup", shlex.join(["python", "-m", "benchmarks.backup", *asked]), figures=figures, trial=chosen.trial
    )


if __name__ == "__main__":
    main(sys.argv[1:])
