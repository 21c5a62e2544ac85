"""Decisions are made one after the other: of two people who decide the same thing at once, the second is told so.

Each of them first looks whether it was decided already. Within a process nobody decides between that look and the
record; between two processes it may happen, and then both decisions are on record and the later one holds.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from streams.io.store import StoreBusyError

#: How long a decision waits for one that is being made, in s.
WAIT_S = 10.0
_DECIDING = threading.RLock()

P = ParamSpec("P")
R = TypeVar("R")


def one_by_one(decide: Callable[P, R]) -> Callable[P, R]:
    """A function that decides, never while another one decides.

    Raises (when it is called):
        StoreBusyError: the one before it takes too long.
    """

    @wraps(decide)
    def decided(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _DECIDING.acquire(timeout=WAIT_S):
            raise StoreBusyError("another decision is still being stored; nothing was done")
        try:
            return decide(*args, **kwargs)
        finally:
            _DECIDING.release()

    return decided
