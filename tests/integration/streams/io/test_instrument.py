"""What a stage says of itself over HTTP."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.http.metrics import StageServer
from schemas.settings import SettingsError
from streams.io.health import PARTS, Contact, HealthVerdict, Observations, verdict
from streams.io.instrument import counter, gauge


@dataclass
class Numbers:
    taken: int = counter("Messages taken.")
    waiting: bool = gauge("Whether it waits.")
    seen: Observations = field(default_factory=lambda: Observations(now_ms=0))


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def server(numbers: Numbers) -> Iterator[StageServer]:
    made = StageServer("127.0.0.1", free_port(), lambda: {"test": numbers}, lambda: verdict("test", numbers.seen))
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(server: StageServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def json_answer(server: StageServer) -> tuple[int, dict[str, Any]]:
    status, body = answer(server, "/healthz")
    return status, json.loads(body)


def test_numbers_are_those_of_now_with_their_meaning(server: StageServer, numbers: Numbers) -> None:
    numbers.taken, numbers.waiting = 41, True
    status, text = answer(server, "/metrics")
    assert status == 200
    assert "# HELP repmon_test_taken_total Messages taken." in text
    assert "repmon_test_taken_total 41.0" in text
    assert "repmon_test_waiting 1.0" in text
    numbers.taken = 42
    assert "repmon_test_taken_total 42.0" in answer(server, "/metrics")[1]


def test_health_says_what_is_wrong(server: StageServer, numbers: Numbers) -> None:
    assert json_answer(server) == (200, {"status": "ok", "stage": "test", "failing": []})
    said = "ClickHouse at http://ch:8123: cannot be reached: connection refused"
    numbers.seen = Observations(now_ms=20_000, store=Contact(answered_ms=0, trouble=said))
    status, body = json_answer(server)
    assert (status, body["status"]) == (503, "unwell")
    (failing,) = body["failing"]
    assert (failing["part"], failing["what"], failing["said"]) == ("store", "no answer for 20 s", said)
    assert failing["mend"]
    assert answer(server, "/livez") == (200, "ok\n"), "to be restarted would not help"


def test_each_part_is_a_metric_that_says_whether_it_fails(server: StageServer, numbers: Numbers) -> None:
    store = 'repmon_health_failing{part="store",stage="test"}'
    text = answer(server, "/metrics")[1]
    assert f"{store} 0.0" in text
    assert text.count("repmon_health_failing{") == len(PARTS)
    numbers.seen = Observations(now_ms=20_000, store=Contact(answered_ms=0))
    assert f"{store} 1.0" in answer(server, "/metrics")[1]


def test_client_that_says_nothing_keeps_nobody_waiting(server: StageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert answer(server, "/livez")[0] == 200


def test_port_in_use_is_named(server: StageServer) -> None:
    with pytest.raises(SettingsError, match=rf"metrics\.port: 127\.0\.0\.1:{server.port} cannot be used"):
        StageServer("127.0.0.1", server.port, dict, lambda: HealthVerdict("test"))


def test_port_0_serves_nothing() -> None:
    assert StageServer("127.0.0.1", 0, dict, lambda: HealthVerdict("test")).port == 0
