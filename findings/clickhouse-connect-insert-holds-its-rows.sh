#!/usr/bin/env bash
# Title: What was inserted with clickhouse-connect stays in memory after the call, until Python's collector looks
# Date: 2026-11-30
# Versions: clickhouse-connect 1.12.0 (PyPI). Needs python3; no server is asked
# One would guess: rows that were inserted are free when insert() has returned and the caller has dropped them, since Python counts
#   references.
# What happens: the context that every insert() makes keeps one of its own bound methods as an attribute (`_next_block_data`), and so
#   refers to itself and to all columns. They go when the collector of cycles looks, which counts objects and not bytes: a process
#   that inserts a few large columns, or Arrow tables, makes hardly any objects, and keeps batch after batch. One that set
#   higher thresholds, so that its hot path is not stopped, keeps them for hours.
# Why it matters: a consumer that flushes counts to ClickHouse grows by its flushes, which looks like a leak of its own or of the
#   allocator. Make the context yourself (create_insert_context), give it to data_insert, and empty it afterwards; or collect on a timer.
# Source: clickhouse_connect/driver/insert.py (https://github.com/ClickHouse/clickhouse-connect); the Python library reference, module
#   gc (thresholds are numbers of objects)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check clickhouse-connect==1.12.0
cat >"$folder/held.py" <<'PYTHON'
import gc
import sys
import weakref
from importlib.metadata import version

from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext


class Column(list):
    """A list of which it can be seen whether it is still there."""


def inserted(clear):
    """A context as insert() makes it, with one column of a thousand rows, is made and dropped."""
    column = Column([7] * 1_000)
    context = InsertContext("counts", ["delivered"], [get_from_name("Int64")], data=[column], column_oriented=True)
    assert context.row_count == 1_000
    if clear:
        vars(context).clear()
    return weakref.ref(column)


def held(times, clear=False):
    """How many of so many columns are still there."""
    gc.collect()
    return sum(left() is not None for left in [inserted(clear) for _ in range(times)])


print("clickhouse-connect", version("clickhouse-connect"), "Python", sys.version.split()[0], "thresholds", gc.get_threshold())
few, emptied = held(20), held(20, clear=True)
left = [inserted(False) for _ in range(20)]
gc.collect()
collected = sum(each() is not None for each in left)
print(f"of 20 columns that nobody uses any more {few} are still there; {collected} once the collector has looked")
print(f"{emptied} where the context was emptied")
sys.exit(0 if (few, collected, emptied) == (20, 0, 0) else "this has changed")
PYTHON
"$folder/venv/bin/python" "$folder/held.py"
