"""What a publisher does while its broker is away, and what it gives to the client."""

import itertools

import pytest

from schemas.settings import Kafka
from schemas.topics import REPUTATION_ALERTS
from streams.io import broker
from streams.io.broker import Publisher, UnacknowledgedError, headers_of


def test_who_is_to_stop_does_not_wait_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "HURRY_S", 0.01)
    publisher = Publisher(Kafka(bootstrap="127.0.0.1:1"))
    publisher.publish("mail.events", b"key", b"value")
    asked = itertools.count()
    with pytest.raises(UnacknowledgedError, match="1 messages not acknowledged"):
        publisher.flush(3_600, hurry=lambda: next(asked) == 3)
    assert next(asked) == 4


def test_what_a_wrapper_of_the_client_adds_to_headers_is_not_in_the_next_message() -> None:
    first = headers_of(REPUTATION_ALERTS)
    assert first is not None
    before = list(first)
    first.append(("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    assert headers_of(REPUTATION_ALERTS) == before
