"""The client's `timeout_s` is for a whole answer, however that comes."""

import asyncio
import socket
import threading
from contextlib import suppress

import httpx
import pytest

from repmon.client import ApiProblemError, AsyncClient, Client
from tests.support.raw_server import Speak, drips, raw_server, says

OK = b"HTTP/1.1 200 OK\r\n"
NO_MODEL = OK + b"Content-Length: 2\r\n\r\n{}"
FIELDS = drips(OK, b"X: y\r\n")
NEVER_WHOLE = {
    "header fields drip": FIELDS,
    "body drips": drips(OK + b"Content-Length: 9000\r\n\r\n", b" "),
    "silent": says(b""),
}
TIMEOUT_S = 0.3


def first_well(then: Speak) -> Speak:
    """Answers one request well, and the next one over the same connection so."""

    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(NO_MODEL)
        then(connection, over)

    return speak


@pytest.mark.parametrize("kind", NEVER_WHOLE)
def test_answer_that_is_never_whole_ends_in_time(kind: str) -> None:
    with (
        raw_server(NEVER_WHOLE[kind]) as port,
        Client(f"http://127.0.0.1:{port}", "key", timeout_s=TIMEOUT_S) as client,
        pytest.raises(httpx.TimeoutException),
    ):
        client.standing()


def test_second_answer_over_one_connection_has_the_same_time() -> None:
    with (
        raw_server(first_well(FIELDS)) as port,
        Client(f"http://127.0.0.1:{port}", "key", timeout_s=TIMEOUT_S) as client,
    ):
        with pytest.raises(ApiProblemError, match="not this interface"):
            client.standing()
        with pytest.raises(httpx.TimeoutException, match=r"no whole answer within 0\.3 s"):
            client.standing()


@pytest.mark.parametrize("kind", NEVER_WHOLE)
def test_client_for_an_event_loop_ends_in_time(kind: str) -> None:
    async def asked(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", "key", timeout_s=TIMEOUT_S) as client:
            await client.standing()

    with raw_server(NEVER_WHOLE[kind]) as port, pytest.raises(httpx.TimeoutException):
        asyncio.run(asked(port))


def test_answer_in_time_is_given_though_another_one_was_late() -> None:
    """The late one's connection is gone; a new one is opened."""
    turns = iter((FIELDS, says(NO_MODEL)))

    def speak(connection: socket.socket, over: threading.Event) -> None:
        with suppress(StopIteration):
            next(turns)(connection, over)

    with (
        raw_server(speak) as port,
        Client(f"http://127.0.0.1:{port}", "key", timeout_s=TIMEOUT_S) as client,
    ):
        with pytest.raises(httpx.TimeoutException):
            client.standing()
        with pytest.raises(ApiProblemError, match="not this interface"):
            client.standing()
