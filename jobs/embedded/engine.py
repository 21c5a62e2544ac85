"""The chDB engine inside this process. It runs for as long as any handle on it is open, and goes on merging meanwhile:
a folder whose engine is to end needs every handle closed, and a handle can be closed only when no query runs on it."""

from typing import Any

from streams.io.engine import engine_address

KILL = "KILL QUERY WHERE query_id != queryID() ASYNC"


def kill_queries(path: str) -> None:
    """End all statements of this process on the store in `path`; those who wait for them get an error, within a second.

    Raises:
        RuntimeError: the engine refused.
    """
    # Imported here: the library takes 250 MB, which processes that only reach a store shall not pay.
    import chdb

    handle: Any = chdb.connect(engine_address(path))  # type: ignore[no-untyped-call]
    try:
        handle.query(KILL, "TabSeparated")
    finally:
        handle.close()
