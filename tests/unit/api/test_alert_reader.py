"""The reader of alerts, over messages of a test's own."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.client import consumer
from schemas.alert import AlertEvent
from tests.support.alert_life import alert


class Reader:
    """In the place of a consumer."""

    def __init__(self, events: list[AlertEvent]) -> None:
        self._messages = [SentMessage(each) for each in events]

    def __call__(self, _: object) -> "Reader":
        return self

    def subscribe(self, _: list[str]) -> None:
        """Nothing."""

    def poll(self, _: float) -> "SentMessage":
        return self._messages.pop(0)

    def commit(self, **_: Any) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class SentMessage:
    """One message."""

    def __init__(self, event: AlertEvent) -> None:
        self._event = event

    def value(self) -> bytes:
        return msgspec.json.encode(self._event)

    def error(self) -> None:
        """None."""


def read(monkeypatch: pytest.MonkeyPatch, events: list[AlertEvent]) -> Iterator[AlertEvent]:
    monkeypatch.setattr(consumer, "Consumer", Reader(events))
    found = consumer.alerts("127.0.0.1:9", group="test")
    for _ in range(2):
        yield next(found)


def test_forged_alert_with_the_id_of_a_true_one_does_not_hide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are derived from what happened, so they can be guessed; a repeat is the same word for word."""
    sent = alert("opened", "critical", customer="acme")
    forged = msgspec.structs.replace(sent, data=msgspec.structs.replace(sent.data, customer="globex"))
    assert list(read(monkeypatch, [forged, forged, sent, sent, forged])) == [forged, sent]
