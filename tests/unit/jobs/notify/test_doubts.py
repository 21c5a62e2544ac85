"""What the store does not know may be late: it has its time, in its order, and a flood has no more than that."""

from jobs.notify.doubts import ASK_MS, MOST, MOST_BYTES, Doubts
from jobs.notify.source import EventMessage
from streams.alerts.known import REPLICATED_MS

FIRST, SECOND, NEW = (EventMessage("reputation.alerts:0", text) for text in (b"first", b"second", b"new"))


def test_what_is_in_doubt_is_asked_again_with_what_comes_and_before_it() -> None:
    doubts = Doubts()
    assert doubts.have_time([FIRST, SECOND], 0) == {FIRST, SECOND}
    assert doubts.before([NEW], 1) == [FIRST, SECOND, NEW]
    assert doubts.before([], 2) == []
    assert doubts.before([], 1 + ASK_MS) == [FIRST, SECOND]
    assert doubts.have_time([SECOND], 1 + ASK_MS) == {SECOND}
    assert FIRST not in doubts


def test_nothing_is_in_doubt_for_longer_than_a_replica_may_be_behind() -> None:
    doubts = Doubts()
    doubts.have_time([FIRST], 0)
    assert doubts.have_time([FIRST, SECOND], REPLICATED_MS - 1) == {FIRST, SECOND}
    assert doubts.have_time([FIRST, SECOND], REPLICATED_MS) == {SECOND}
    doubts.forget([SECOND.reader])
    assert not doubts


def test_flood_takes_no_more_memory_than_is_meant_for_it() -> None:
    flood = [EventMessage("reputation.alerts:0", b"%d" % number) for number in range(2 * MOST)]
    assert len(Doubts().have_time(flood, 0)) == MOST
    large = [EventMessage("reputation.alerts:0", bytes([number]) * (MOST_BYTES // 4)) for number in range(9)]
    assert len(Doubts().have_time(large, 0)) == 4
