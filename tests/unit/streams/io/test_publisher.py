"""What a publisher does while its broker is away."""

import itertools

import pytest

from schemas.settings import Kafka
from streams.io import broker
from streams.io.broker import Publisher, UnacknowledgedError


def test_who_is_to_stop_does_not_wait_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "HURRY_S", 0.01)
    publisher = Publisher(Kafka(bootstrap="127.0.0.1:1"))
    publisher.publish("mail.events", b"key", b"value")
    asked = itertools.count()
    with pytest.raises(UnacknowledgedError, match="1 messages not acknowledged"):
        publisher.flush(3_600, hurry=lambda: next(asked) == 3)
    assert next(asked) == 4
