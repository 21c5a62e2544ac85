"""Work that takes longer than an answer: on a thread of its own, with how far it is, an end by time, and a way to stop.

There is one of a kind at a time, and the last one is kept until the next begins.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Generic, Literal, TypeVar

import msgspec

from schemas.errors import RepmonError
from streams.io.store import StoreError

log = logging.getLogger("repmon.console")

T = TypeVar("T")
#: `lost`: of another process, or of one before a restart, and nobody said how it ended.
JobState = Literal["running", "done", "stopped", "late", "failed", "lost"]


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far a job is: `done` of `total` (0: not known yet), begun at `began_ms` and over at `ended_ms` (epoch ms)."""

    state: JobState
    began_ms: int
    by: str
    done: int = 0
    total: int = 0
    ended_ms: int | None = None
    fault: str = ""

    @property
    def share(self) -> float:
        """The part that is done (a ratio)."""
        return min(1.0, self.done / self.total) if self.total else 0.0


class Job(Generic[T]):
    """One piece of work. `about` is what it was asked for, `result` what came of it."""

    def __init__(self, name: str, about: T, by: str, clock: Callable[[], int], bound_s: float) -> None:
        self.name = name
        self.about = about
        self.result: object = None
        self._clock = clock
        self._deadline = time.monotonic() + bound_s
        self._stop = threading.Event()
        self._progress = Progress(state="running", began_ms=clock(), by=by)
        self.thread: threading.Thread | None = None

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    def tell(self, done: int, total: int) -> None:
        """Say how far it is.

        Raises:
            CancelledError: it was stopped, or takes too long.
        """
        self._progress = msgspec.structs.replace(self._progress, done=done, total=total)
        if self._stop.is_set() or time.monotonic() > self._deadline:
            raise CancelledError

    def stop(self) -> None:
        """Have it end at the next place where it can."""
        self._stop.set()

    def run(self, work: Callable[["Job[T]"], object], after: Callable[["Job[T]"], None] | None = None) -> None:
        """Do it, and then, whatever came of it, what is to be done `after`."""
        state: JobState = "done"
        fault = ""
        try:
            self.result = work(self)
        except CancelledError:
            state = "stopped" if self._stop.is_set() else "late"
        except StoreError as error:
            # The message names hosts and SQL: it is for the log.
            log.warning("%s: %s", self.name, error)
            state, fault = "failed", "the store did not answer"
        except RepmonError as error:
            log.warning("%s: %s", self.name, error)
            state, fault = "failed", str(error)
        except Exception:  # the last resort of a thread: it is shown and logged
            log.exception("%s failed", self.name)
            state, fault = "failed", "something went wrong here; it has been logged"
        self._progress = msgspec.structs.replace(self._progress, state=state, fault=fault, ended_ms=self._clock())
        if after is not None:
            try:
                after(self)
            except RepmonError as error:
                log.warning("%s: what came of it is not kept: %s", self.name, error)


class Background(Generic[T]):
    """One kind of work; `bound_s` is how long it may take."""

    def __init__(self, name: str, bound_s: float) -> None:
        self.bound_s = bound_s
        self._name = name
        self._lock = threading.Lock()
        self._job: Job[T] | None = None

    @property
    def job(self) -> Job[T] | None:
        """The last one; None where there was none."""
        return self._job

    def begin(
        self,
        about: T,
        by: str,
        clock: Callable[[], int],
        work: Callable[[Job[T]], object],
        after: Callable[[Job[T]], None] | None = None,
    ) -> bool:
        """Begin; False where one is under way. `clock` is epoch ms; `after` is called once it is over, however."""
        with self._lock:
            if self._job is not None and self._job.progress.state == "running":
                return False
            job = self._job = Job(self._name, about, by, clock, self.bound_s)
            job.thread = threading.Thread(target=job.run, args=(work, after), name=self._name, daemon=True)
            job.thread.start()
            return True
