"""How the embedded engine (chDB) is started: with bounds that suit a process among others; its own are made for servers
that have a machine to themselves.

Whoever opens the first handle of a process starts the engine, and its options hold until the last handle is closed; so
every handle is opened with them. Left out is what stays empty here.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

MB = 1_000_000
#: The engine's settings of a server, in bytes (ClickHouse documentation, "Server settings"). By itself it may
#: keep 5 GB of each of the first three. Measured with chDB 4.4:
#:
#: - Marks say where in a file a part's rows are: 20 to 40 bytes for 8,192 rows of a column. Primary keys are read once
#:   for each part, and index marks are few.
#: - Of each part and condition it remembers in which rows none can hold (`query_condition_cache`). Our conditions name
#:   times, so they are never the same twice: it remembered one for each part that a query met, for nothing, and counts
#:   64 of the 190 bytes that each takes, so that its 100 MB are 300.
#: - Compiled expressions take 10 KB each; few are compiled (`UNCOMPILED`).
BOUNDS: Mapping[str, int] = {
    "mark_cache_size": 128 * MB,
    "primary_index_cache_size": 128 * MB,
    "index_mark_cache_size": 32 * MB,
    "query_condition_cache_size": 0,
    "compiled_expression_cache_size": 16 * MB,
}


#: By default what a statement computes is compiled to machine code once it was asked three times: 16 ms of a core for
#: each expression, in each process anew, 0.8 s for 46 statements of the monitor. They are no faster afterwards: 10,000
#: customers judged four times over 1.5 million rows took 7.98 s of a core without, 8.11 s with it (chDB 4.4).
UNCOMPILED: Mapping[str, int] = {
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
}


#: In the file: where more than 100 parts that were merged away are to be removed at once, 128 threads are started for
#: it and stay, with 30 to 50 MB; one does it as well here. And a merge takes 20 parts at most, not 100: it has every
#: file of all of them open, 36 of each part of counts and up to 120, and four merges run at once. A store that has all
#: its parts from the start, as a restored one, came to 20,000 files, and no query could open another.
OPTIONS: Mapping[str, int | str] = {**BOUNDS, **UNCOMPILED, "config-file": str(Path(__file__).with_name("engine.xml"))}


#: Settings of each INSERT. Its rows come in a file with a name of its own, which is gone afterwards; of each the engine
#: would keep 2 KB to count its rows by, of the latest 4,096 (chDB 4.4): 8 MB, a quarter of an hour's work.
INSERTS: Mapping[str, int] = {"use_cache_for_count_from_files": 0}


def engine_address(path: str) -> str:
    """What `chdb.connect` takes for the folder `path`."""
    return f"{path}?{urlencode(OPTIONS)}"
