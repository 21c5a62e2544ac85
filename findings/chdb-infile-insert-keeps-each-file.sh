#!/usr/bin/env bash
# Title: Each INSERT from a file of its own leaves 2 KB in an embedded ClickHouse, of the latest 4,096
# Date: 2026-11-30
# Versions: chdb 4.4.0 (PyPI). Needs python3; nothing else is asked
# One would guess: of a file whose rows were inserted with INSERT ... FROM INFILE nothing stays, since its columns are those of the
#   table and nothing is inferred.
# What happens: the number of its rows is kept in the schema inference cache, under its path, for a later count() of the same file
#   (use_cache_for_count_from_files, on by default). clickhouse-connect's chdb backend writes each INSERT to a temporary file with
#   a name of its own, so each adds an entry that nobody can use again. schema_inference_use_cache_for_file does not change it.
# Why it matters: a process that inserts a few times a second grows by 8 MB in its first half hour, which looks like a leak. Insert
#   with SETTINGS use_cache_for_count_from_files = 0.
# Source: ClickHouse documentation, setting use_cache_for_count_from_files, and system.schema_inference_cache
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0
cat >"$folder/kept.py" <<'PYTHON'
import sys
from pathlib import Path

import chdb

folder = Path(sys.argv[1])
engine = chdb.connect(str(folder / "store"))
engine.query("CREATE TABLE default.t (x UInt64) ENGINE = Memory")


def kept(name, settings):
    """How many entries the cache has more after ten INSERTs, each of a file with a name of its own."""
    before = int(str(engine.query("SELECT count() FROM system.schema_inference_cache", "TabSeparated")))
    for number in range(10):
        file = folder / f"{name}{number}.tsv"
        file.write_text(f"{number}\n")
        engine.query(f"INSERT INTO default.t FROM INFILE '{file}' {settings} FORMAT TabSeparated")
        file.unlink()
    return int(str(engine.query("SELECT count() FROM system.schema_inference_cache", "TabSeparated"))) - before


found = [
    kept("a", ""),
    kept("b", "SETTINGS schema_inference_use_cache_for_file = 0"),
    kept("c", "SETTINGS use_cache_for_count_from_files = 0"),
]
print("of ten files each are kept: by default, without the cache of schemas, without that of counts:", *found)
sys.exit(0 if found == [10, 10, 0] else "this has changed")
PYTHON
"$folder/venv/bin/python" "$folder/kept.py" "$folder"
