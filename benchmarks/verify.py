"""Whether the store holds exactly what was produced: a benchmark of work that was skipped would be worth nothing.

    python -m benchmarks.verify STORE_FOLDER EXPECTED_FILE

Runs in a process of its own, since it opens the folder of a store that another process has just left.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from benchmarks.broker import BenchmarkError
from benchmarks.process import ROOT
from benchmarks.traffic import Expected
from schemas.counts import MEASURES
from schemas.settings import ClickHouse
from streams.io.store import open_store

_SUMS = ", ".join(f"sum({name})" for name in MEASURES)
ROWS = f"""
SELECT customer, intDiv(toUnixTimestamp(bucket), 60), {_SUMS}
FROM counts WHERE dimension = 'provider' GROUP BY customer, bucket ORDER BY customer, bucket
"""  # noqa: S608 - the names of measures
#: Late bounces are counted twice, as late and as bounces.
_ONCE = " + ".join(name for name in MEASURES if not name.startswith(("late_", "undated_")))
ADDRESSED = f"SELECT sum({_ONCE}) FROM counts WHERE dimension = 'ip'"  # noqa: S608 - the names of measures
NEGATIVE = "SELECT uniqExact(id) FROM events"
DEAD = "SELECT count() FROM dead_letters FINAL"
MOST_SHOWN = 5


class Rows(Protocol):
    """What can be asked."""

    def rows(self, sql: str, /) -> Sequence[Sequence[Any]]:
        """The result rows of a query."""


def differences(store: Rows, expected: Expected) -> Iterator[str]:
    """Each way in which the store differs from what it must hold."""
    found = {(customer, minute): tuple(counts) for customer, minute, *counts in store.rows(ROWS)}
    wanted = {(customer, minute): tuple(counts) for customer, minute, counts in expected.rows}
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            yield f"{key[0]}, minute {key[1]}: stored {found.get(key)}, produced {wanted.get(key)}"
    for what, sql, want in (
        ("events with a sending address", ADDRESSED, expected.addressed),
        ("negative events", NEGATIVE, expected.negative),
        ("dead letters", DEAD, 0),
    ):
        ((have,),) = store.rows(sql)
        if have != want:
            yield f"{what}: stored {have:,}, produced {want:,}"


def verify(folder: str, expected: Expected) -> None:
    """Compare, in a process of its own.

    Raises:
        BenchmarkError: the store holds something else.
    """
    with tempfile.NamedTemporaryFile(suffix=".msgpack") as file:
        file.write(msgspec.msgpack.encode(expected))
        file.flush()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.verify", folder, file.name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BenchmarkError(f"the counts are wrong:\n{done.stdout}{done.stderr}")


def main(folder: str, file: str) -> int:
    """Print the differences; 1 if there are any."""
    expected = msgspec.msgpack.decode(Path(file).read_bytes(), type=Expected)
    store = open_store(ClickHouse(path=folder))
    try:
        found = list(differences(store, expected))
    finally:
        store.close()
    for each in found[:MOST_SHOWN]:
        print(each)
    if len(found) > MOST_SHOWN:
        print(f"and {len(found) - MOST_SHOWN} more")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
