"""Which stretch of a topic's log a recount reads."""

import pytest

from jobs.data.fault import StoredDataError
from jobs.data.topic_messages import Partition, Stretch, planned


def partition(begin: int, end: int = 200) -> Partition:
    return Partition("t", 0, "t:x:0", begin, end, 1)


@pytest.mark.parametrize(
    ("begin", "counted", "at", "ids_at", "read"),
    [
        (0, 99, 40, 10, (10, 40, 100)),
        (0, 99, 0, 0, (0, 0, 100)),  # the log has everything that there ever was
        (5, 99, 40, 5, (5, 40, 100)),  # ids of a day before are not all there
        (0, 29, 40, 10, (10, 30, 30)),  # nothing of the time is counted
        (120, 99, 130, 120, (100, 100, 100)),  # what was counted is gone, and nothing of it is of the time
    ],
)
def test_stretch_begins_with_the_time_and_ends_with_what_is_counted(
    begin: int, counted: int, at: int, ids_at: int, read: tuple[int, int, int]
) -> None:
    (found,) = planned([partition(begin)], {"t:x:0": counted}, {"t:x:0": at}, {"t:x:0": ids_at}, 0)
    assert found == Stretch("t", 0, "t:x:0", *read)


@pytest.mark.parametrize(
    ("begin", "end", "at"),
    [
        (40, 200, 40),
        (120, 200, 120),  # what is left was never counted
        (200, 200, 1 << 62),  # nothing is left
    ],
)
def test_log_that_has_lost_messages_of_the_time_is_refused(begin: int, end: int, at: int) -> None:
    with pytest.raises(
        StoredDataError, match=rf"topic t, partition 0: its messages of 1970.* are gone .*offset {begin}"
    ):
        planned([partition(begin, end)], {"t:x:0": 99}, {"t:x:0": at}, {"t:x:0": at}, 0)
