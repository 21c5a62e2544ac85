"""Where topics end, as a broker says, or does not."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from streams.io.broker import BrokerError, begins, ends


def answering(offset: int) -> Any:
    """A client that is given this offset of each partition."""

    def listed(wanted: dict[Any, Any], **_: object) -> dict[Any, "Future[Any]"]:
        found = {}
        for where in wanted:
            found[where] = Future[Any]()
            found[where].set_result(SimpleNamespace(offset=offset))
        return found

    return SimpleNamespace(list_offsets=listed)


def test_end_is_what_the_broker_says() -> None:
    assert ends(answering(7), [("mail.events", 0)]) == {("mail.events", 0): 7}


def test_broker_that_does_not_answer_is_not_taken_for_an_empty_topic() -> None:
    """The client gives an offset that is none, and no error: nobody may say then that everything is counted."""
    for ask in (ends, begins):
        with pytest.raises(BrokerError, match="partition 0: did not answer in time"):
            ask(answering(-1001), [("mail.events", 0)])
