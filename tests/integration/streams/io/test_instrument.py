"""What a stage says of itself over HTTP."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from api.http.metrics import StageServer
from schemas.settings import SettingsError
from streams.io.instrument import counter, gauge


@dataclass
class Numbers:
    taken: int = counter("Messages taken.")
    waiting: bool = gauge("Whether it waits.")
    trouble: str = ""


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def server(numbers: Numbers) -> Iterator[StageServer]:
    made = StageServer("127.0.0.1", free_port(), lambda: {"test": numbers}, lambda: numbers.trouble)
    yield made
    made.close()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(server: StageServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


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
    assert answer(server, "/healthz") == (200, "ok\n")
    numbers.trouble = "ClickHouse at http://ch:8123: cannot be reached: connection refused"
    assert answer(server, "/healthz") == (503, numbers.trouble + "\n")


def test_port_in_use_is_named(server: StageServer) -> None:
    with pytest.raises(SettingsError, match=rf"metrics\.port: 127\.0\.0\.1:{server.port} cannot be used"):
        StageServer("127.0.0.1", server.port, dict, str)


def test_port_0_serves_nothing() -> None:
    assert StageServer("127.0.0.1", 0, dict, str).port == 0
