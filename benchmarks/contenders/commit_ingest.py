"""`repmon ingest` of whichever commit `PYTHONPATH` names, with a clock on its consumer.

    python benchmarks/contenders/commit_ingest.py ROWS_FILE ingest

How many rows of counts it inserted so far, and how many INSERTs there were of whatever kind, is kept in a file.
Needs names that have been the same since commit 1006786, or both of two.
"""

import json
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contenders.marks import clock_consumers, wait_for_go

clock_consumers()


def first_of(*names: str) -> Any:
    """The first of these modules that there is. Old names go first: new ones may be found among the files that are
    installed."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise SystemExit(f"none of these modules is there: {', '.join(names)}")


def counted(store: Any, method: str, file: Path, found: Counter[str]) -> None:
    """Count what this method of the store inserts."""
    plain = getattr(store, method)

    def insert(self: Any, table: str, columns: Any, *options: Any) -> None:
        plain(self, table, columns, *options)
        found["inserts"] += 1
        if table == "counts":
            found["rows"] += columns.num_rows
        file.write_text(json.dumps(found))

    setattr(store, method, insert)


if __name__ == "__main__":
    store, found = first_of("streams.store", "streams.io.store").Store, Counter[str]()
    for method in ("insert_table", "insert"):
        counted(store, method, Path(sys.argv[1]), found)
    cli = first_of("api.cli.main", "api.cli")
    wait_for_go()
    sys.argv = ["repmon", *sys.argv[2:]]
    cli.main()
