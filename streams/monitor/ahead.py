"""What a batch is judged by, read while the batch before it is still judged.

Of a large batch half of the time is queries, in which the engine has all cores, and half is Python, which has one: the
others would wait. So where a full batch waits already, it is taken from the work list, and its windows are read on a
thread of their own. Nothing is lost by that: what changes after it was taken makes its customers due again, and states
of alerts are read only when it is its turn.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from streams.subjects.arrays import Subjects
from streams.subjects.fresh_starts import Since


class ReadAhead(NamedTuple):
    """The windows of customers (sorted) as they were at `now_ms` (epoch ms), by these fresh starts, and who is to be
    read again when. `reading` is which of the ways to read was in force: another policy changes it, and so does what is
    left out."""

    customers: Sequence[str]
    now_ms: int
    since: Since
    subjects: Subjects
    again: list[tuple[str, int]]
    reading: int

    def is_of(self, customers: Sequence[str], now_ms: int, since: Since, reading: int) -> bool:
        """Whether it says what would be read for these now."""
        asked = (now_ms, since, reading)
        return (self.now_ms, self.since, self.reading) == asked and self.customers == customers


class TakenAhead(NamedTuple):
    """A batch that is next, and what is read for it; that gives None where it failed."""

    batch: list[str]
    read: "asyncio.Future[ReadAhead | None]"
