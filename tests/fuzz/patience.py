"""The end of inputs that take too long: also within the standard library, and at no cost for those that do not."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Patience:
    """Counts inputs, so that one at which two looks in a row find the process is known to take long."""

    def __init__(self) -> None:
        """No input is read."""
        self.reading = False
        self._number = self._seen = 0

    def begin(self) -> None:
        """The next input is read from now on."""
        self._number += 1
        self.reading = True

    def still_the_same(self) -> bool:
        """Whether the input that is read was read at the last look, too."""
        same, self._seen = self._seen == self._number, self._number
        return self.reading and same


@contextmanager
def patience(seconds: float, late: Exception) -> Iterator[Patience]:
    """Raise `late` in whatever reads one input for more than `seconds`, at the latest when it has taken twice that.

    Time of the processor: a busy machine makes nothing late, and nothing waits here. Its signal is not that of the
    test suite's own limit.
    """
    watch = Patience()

    def look(_number: int, _frame: FrameType | None) -> None:
        if watch.still_the_same():
            raise late

    handler = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield watch
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
