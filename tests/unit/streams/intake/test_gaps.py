"""What is lost where a log does not reach back to where a source should go on."""

import pytest

from streams.intake.gaps import gap
from streams.io.broker import BrokerError


def test_gap_is_what_lies_before_the_log() -> None:
    found = gap("mail.events:id:0", 100, 150, 200)
    assert (found.first, found.last, found.lost) == (100, 149, 50)
    assert str(found) == "50 messages, offsets 100 to 149, were deleted by the broker before they were read"


@pytest.mark.parametrize(("low", "high"), [(0, 90), (100, 100), (0, 0)])
def test_log_that_ends_before_what_was_counted_is_an_error_that_says_how_to_go_on(low: int, high: int) -> None:
    with pytest.raises(BrokerError, match=f"counted up to offset 99, but the topic ends at {high}.*Recreate the topic"):
        gap("mail.events:id:0", 100, low, high)
