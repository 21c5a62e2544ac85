"""The stage of notifications inside a stack: on a thread of its own, with its own connections."""

import logging
import threading
from collections.abc import Callable

from jobs.notify.notifier import Notifier
from schemas.settings import Settings
from streams.io.store import open_store

log = logging.getLogger("repmon.stages")


class NotifyThread:
    """Tells by the routes of the settings; `failed` is called with what ended it, if anything did.

    Raises:
        NotifyError: a route cannot be used.
        StoreError: the store cannot be reached.
    """

    def __init__(self, settings: Settings, failed: Callable[[BaseException], None]) -> None:
        self._store = open_store(settings.clickhouse)
        try:
            self.notifier = Notifier(settings, self._store)
        except BaseException:
            self._store.close()
            raise
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def end(self, timeout_s: float) -> bool:
        """Stop; True if it ended within `timeout_s`. What was not sent is sent at the next start."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """It ends with the next question to the store."""
        self._stop.set()
        self._store.refuse()

    def _run(self) -> None:
        try:
            self.notifier.run(self._stop)
        except Exception as error:
            if not self._stop.is_set():
                self._failed(error)
            else:
                log.info("notifications: %s", error)
        finally:
            self._store.close()
