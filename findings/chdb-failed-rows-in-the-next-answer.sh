#!/usr/bin/env bash
# Title: After a statement that failed half-way, chDB's next answer begins with the rows of the failed one
# Date: 2026-11-30
# Versions: chdb 4.4.0 and clickhouse-connect 1.12.0 (PyPI). Needs python3; no server is asked
# One would guess: a statement that ends with an error (a time limit, a memory limit, a value that cannot be cast) has given nothing;
#   the next one on the same handle gives its own rows, or an error if the handle is not to be used any more.
# What happens: what the failed statement had written before it failed stays in the handle. The next statement succeeds, and its
#   answer is those rows followed by its own: `SELECT 'mine'` gives more than a thousand numbers and then `mine`. The statement after
#   that is right again. Through clickhouse-connect's `interface="chdb"` it is the same where both have columns of the same
#   type: the answer has the failed one's column names and rows, the own row last; where types differ it is an error.
# Why it matters: who embeds ClickHouse bounds statements by max_execution_time or max_memory_usage, and a monitor goes on after one
#   that took too long. Its next numbers are another question's, without any error. Take a new handle after every statement that failed
#   (open it before the old one is closed: the engine ends with its last handle).
# Source: chdb/state/sqlitelike.py (https://github.com/chdb-io/chdb); ClickHouse documentation, "Restrictions on query complexity"
#   (a limit that is exceeded throws, and by default gives no part of the answer)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 clickhouse-connect==1.12.0
cat >"$folder/next.py" <<'PYTHON'
import sys
from importlib.metadata import version

import chdb
import clickhouse_connect

#: Ends in the midst of its rows, as a limit ends one; by a value, so that it is the same each time.
FAILS = "SELECT number + throwIf(number = 1500) AS n FROM numbers(3000) SETTINGS max_block_size = 100, max_threads = 1"

folder = sys.argv[1]
print("chdb", version("chdb"), "engine", chdb.engine_version, "clickhouse-connect", version("clickhouse-connect"))


def answer(handle, statement):
    """The answer's lines, or that there was an error."""
    try:
        return handle.query(statement, "TabSeparated").bytes().decode().splitlines()
    except Exception as error:
        return [f"error: {str(error)[:60]}"]


handle = chdb.connect(folder)
print("fails:", answer(handle, FAILS))
first, second = answer(handle, "SELECT 'mine'"), answer(handle, "SELECT 'mine'")
print(f"then 'mine' gives {len(first)} lines: {first[:2]} ... {first[-2:]}")
print(f"and once more: {second}")

client = clickhouse_connect.get_client(interface="chdb", path=folder)
try:
    client.query(FAILS)
except Exception as error:
    print("clickhouse-connect fails:", str(error).splitlines()[0][:60])
try:
    rows = client.query("SELECT toUInt64(7) AS mine")
    through = f"{len(rows.result_rows)} rows of {rows.column_names}: {rows.result_rows[:2]} ... {rows.result_rows[-1:]}"
    taken = len(rows.result_rows) > 1_000 and rows.column_names == ("n",) and rows.result_rows[-1] == (7,)
except Exception as error:
    through, taken = f"error: {str(error).splitlines()[0][:80]}", False
print("then one row of `mine` gives", through)
fresh = chdb.connect(folder)
kept = answer(fresh, "SELECT 'mine'")
print("another handle gives", kept)
same = len(first) > 1_000 and first[0] == "0" and first[-1] == "mine" and second == ["mine"] == kept and taken
sys.exit(0 if same else "this has changed")
PYTHON
"$folder/venv/bin/python" "$folder/next.py" "$folder/data"
