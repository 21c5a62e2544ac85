"""Which sending times are believed."""

import pytest

from schemas.event import EventType
from schemas.times import DAY_MS, MINUTE_MS
from streams.intake.stated import ANSWER_DAYS, TRANSPORT_DAYS, stated_ms
from tests.support.counted import NOW, event


@pytest.mark.parametrize("kind", ["delivered", "bounced", "deferred", "expired", "complained", "unsubscribed"])
def test_sending_time_is_believed_as_long_as_such_an_outcome_may_come(kind: EventType) -> None:
    most = ANSWER_DAYS if kind in ("complained", "unsubscribed") else TRANSPORT_DAYS
    for sent, believed in (
        (NOW - most * DAY_MS, NOW - most * DAY_MS),
        (NOW - most * DAY_MS - 1, 0),
        (NOW, NOW),
        (NOW + MINUTE_MS, 0),
        (0, 0),
        (-5, 0),
    ):
        assert stated_ms(event(kind, sent=sent), NOW) == believed


def test_clock_that_is_a_second_ahead_is_the_same_minute() -> None:
    start = NOW // MINUTE_MS * MINUTE_MS
    assert stated_ms(event("delivered", sent=start + 1_000), start) == start
