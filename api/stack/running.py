"""Running a command's coroutine so that the process ends when it does, whatever libraries leave behind."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import pyarrow as pa

#: How long tasks and threads that should be over may take to end, in s.
LEAVE_S = 0.5
#: mallopt(3)
M_ARENA_MAX = -8
ARENAS = 2
TRIM_S = 1.0
#: The collector looks so often (s), if that takes little of the time: one part of so many.
COLLECT_S, COLLECT_PART = 60.0, 500
#: How long (ms) the embedded store's allocator (jemalloc) keeps what is not used; read when the library is loaded.
#: With its own 5 s (chDB 4.4) it keeps 50 to 80 MB of each flush; the time that a flush takes is the same.
STORE_MEMORY = ("JE_MALLOC_CONF", "dirty_decay_ms:200")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Like `asyncio.run`, but what does not end by itself is left behind: without their broker, the supervisors
    of a Faust app start its agents again as often as they are cancelled, and a query on a thread takes its time.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM before `main` had its own handler.
    """
    loop = asyncio.new_event_loop()
    threading.excepthook = partial(_thread_ended, loop)
    task = loop.create_task(main)
    cancels = iter((task.cancel,))

    def interrupted() -> None:
        for cancel in cancels:  # only once: what is being stopped is not to be interrupted in that
            cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    finally:
        if left := asyncio.all_tasks(loop):
            for each in left:
                each.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(asyncio.wait(left, timeout=LEAVE_S))
        loop.close()


def _thread_ended(loop: asyncio.AbstractEventLoop, args: threading.ExceptHookArgs) -> None:
    """Without its broker, the thread of a Faust consumer ends as cancelled when it is stopped: no fault. Nor is it one
    that what was left behind, since leaving the group took longer than it may, cannot tell the closed loop that it
    ended (mode 0.7.1, `ServiceThread.set_shutdown`). What else ends it, the monitor says in a line."""
    left_behind = loop.is_closed() and issubclass(args.exc_type, RuntimeError)
    of_broker = issubclass(args.exc_type, asyncio.CancelledError) or args.exc_type.__module__.startswith("aiokafka")
    if not left_behind and not of_broker:
        threading.__excepthook__(args)


def tune_memory() -> None:
    """Set the process up for large batches that come and go; to be called before its threads start.

    Python looks for unreachable cycles once a minute, and hardly ever by itself: a stage makes and drops tens of
    thousands of objects a batch, few of them in cycles, and each look goes through everything that is kept. But the few
    are of clients (a request that failed, a connection that was lost, an assignment of partitions), may hold much, and
    would stay for hours. Arrow takes memory from the C library, and that keeps few arenas, so that what one batch gave
    back serves the next: a fifth less at the peak. What no batch needed for a second goes back to the system: a tenth
    less again. So does what the embedded store's own allocator keeps, unless the environment says otherwise.
    """
    os.environ.setdefault(*STORE_MEMORY)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    pa.set_memory_pool(pa.system_memory_pool())
    trim: Callable[[int], int] | None = None
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than glibc
            library = ctypes.CDLL(None)
            library.mallopt(M_ARENA_MAX, ARENAS)
            trim = library.malloc_trim
    threading.Thread(target=_tidied, args=(Tidying(trim),), name="memory", daemon=True).start()


class Tidying:
    """Gives back what is not used. One thread at a time; times are s of one clock."""

    def __init__(self, trim: Callable[[int], int] | None) -> None:
        """`trim` is malloc_trim(3) where there is one."""
        self._trim = trim
        self._collect_s = COLLECT_S

    def look(self, now_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Do what is due. How long the collector takes is measured by `clock`."""
        if now_s >= self._collect_s:
            began_s = clock()
            gc.collect()
            self._collect_s = now_s + max(COLLECT_S, COLLECT_PART * (clock() - began_s))
        if self._trim is not None:
            self._trim(0)


def _tidied(tidying: Tidying) -> None:
    began_s = time.monotonic()
    while True:
        time.sleep(TRIM_S)
        tidying.look(time.monotonic() - began_s)
