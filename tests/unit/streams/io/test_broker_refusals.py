"""Why a broker refuses, heard from its client."""

import logging
import socket
import threading

import pytest
from confluent_kafka import KafkaError

from schemas.settings import Kafka
from streams.io.broker_refusals import TELL_S, Refusals

KAFKA = Kafka(
    bootstrap="127.0.0.1:1",
    sasl_password="hush",
    options={"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "me"},
)
LOGIN = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://127.0.0.1:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or "
    "password (after 303ms in state AUTH_REQ)",
)
LINE = "the login as me by PLAIN is refused: Invalid username or password"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("streams.io.broker_refusals.time.monotonic", lambda: now[0])
    return now


def test_refusal_while_a_stage_runs_is_logged_once_a_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    heard = Refusals(KAFKA)
    with caplog.at_level(logging.WARNING):
        for passed in (0.0, 1.0, TELL_S / 2, TELL_S):
            clock[0] = 1_000.0 + passed
            heard(LOGIN)
    assert caplog.messages == [f"Kafka at 127.0.0.1:1: {LINE}; trying again"] * 2


def test_who_waits_for_the_broker_is_told_and_nothing_is_logged(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    heard = Refusals(KAFKA)
    with heard.kept():
        heard(LOGIN)
        assert heard.reason(last=False) == LINE
    assert caplog.messages == []


def test_refusal_is_why_messages_wait_for_a_minute(clock: list[float]) -> None:
    heard = Refusals(KAFKA)
    assert heard.recent() == ""
    heard(LOGIN)
    assert heard.recent() == LINE
    clock[0] += TELL_S
    assert heard.recent() == ""


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
        "ssl://127.0.0.1:1/bootstrap: Disconnected (after 303ms in state UP)",
    ],
)
def test_broker_that_is_only_away_refuses_nothing(text: str, caplog: pytest.LogCaptureFixture) -> None:
    heard = Refusals(KAFKA)
    heard(KafkaError(KafkaError._TRANSPORT, text))
    assert heard.silent
    assert caplog.messages == []


def test_handshake_cut_off_by_a_broker_that_went_down_is_no_refusal_yet() -> None:
    """Nobody listens there any more, so it is waited for; at the last try that is what is known."""
    options = {"security.protocol": "SSL", "enable.ssl.certificate.verification": "false"}
    heard = Refusals(Kafka(bootstrap=KAFKA.bootstrap, options=options))
    text = (
        "SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener?"
    )
    with heard.kept():
        heard(
            KafkaError(KafkaError._TRANSPORT, f"ssl://127.0.0.1:1/bootstrap: {text} (after 7ms in state SSL_HANDSHAKE)")
        )
        assert heard.reason(last=False) == ""
        assert heard.reason(last=True) == text


def test_broker_that_is_frozen_is_not_asked_what_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes connections for it, and nobody answers or ends them."""
    monkeypatch.setattr("streams.io.broker_security.LOOK_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        heard = Refusals(Kafka(bootstrap=f"127.0.0.1:{frozen.getsockname()[1]}"))
        assert heard.reason(last=True) == (
            "did not answer in time; it takes connections and says nothing: is it stopped, or overloaded?"
        )
        assert heard.reason(last=False) == ""
    assert heard.reason(last=True) == "", "nobody takes connections there any more"


def test_broker_that_ends_connections_is_asked_what_it_speaks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def end_one() -> None:
            other.accept()[0].close()

        ends = threading.Thread(target=end_one)
        ends.start()
        heard = Refusals(Kafka(bootstrap=f"127.0.0.1:{other.getsockname()[1]}"))
        assert heard.reason(last=True).startswith("did not answer in time; does it speak PLAINTEXT at this port")
        ends.join()
