"""When what the embedded store has counted is on disk: by itself the engine leaves that to the system, which may take
half a minute, and what a power cut then breaks is set aside at the next start (streams/intake/stored.py says what)."""

import contextlib
import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterator

from streams.io.store import Store

#: Of every table that keeps rows, its settings. Views keep none.
TABLES = """
SELECT name, engine_full FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name
"""
SET = "ALTER TABLE {table:Identifier} MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1"
RESET = "ALTER TABLE {table:Identifier} RESET SETTING fsync_after_insert, fsync_part_directory"
_SET = re.compile(r"\bfsync_after_insert = (?:1|true)\b")
EVERY_S = 1.0


def set_durable(store: Store, durable: bool) -> list[str]:
    """Make every INSERT of this database wait until its part is on disk, or no longer; returns the tables changed.

    Parts that others were merged into are not waited for: the engine keeps those they were merged from for eight
    minutes (`old_parts_lifetime`), and reads these again where the merged one is broken.

    Raises:
        StoreError: the store failed.
    """
    changed = [name for name, set_now in _tables(store) if set_now != durable]
    for name in changed:
        store.run(SET if durable else RESET, {"table": name})
    return changed


def _tables(store: Store) -> Iterator[tuple[str, bool]]:
    for name, full in store.rows(TABLES):
        yield str(name), bool(_SET.search(str(full)))


class DiskSync:
    """Writes what the file system of a folder has not written yet to disk, every second (syncfs(2)), from `start` to
    `stop`. Inserts do not wait for it."""

    def __init__(self, folder: str, every_s: float = EVERY_S) -> None:
        self._folder = folder
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        #: How often it was through.
        self.rounds = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            last = False
            while not last:
                last = self._over.wait(self._every_s)
                self._sync(folder)
                self.rounds += 1
        finally:
            os.close(folder)

    def _sync(self, folder: int) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).syncfs(folder)
                return
        os.sync()
