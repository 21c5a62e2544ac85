"""Connections that say nothing are closed, and never keep others from being answered."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from api.http import bounded
from api.http.bounded import BoundedProtocol
from jobs.embedded import gate, store_server
from streams.io.handles import RESERVE, most_connections
from tests.support.waiting import wait_for

MOST = 10


LONG = b"x" * 20_000_000


async def app(
    scope: dict[str, str], receive: Callable[[], object], send: Callable[[dict[str, object]], object]
) -> None:
    """Answers everything at once, `/long` with more than a socket holds."""
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    await send({"type": "http.response.body", "body": LONG if scope["path"] == "/long" else b"ok"})  # type: ignore[misc]


@contextmanager
def serving(head_s: float) -> Iterator[tuple[str, int]]:
    with served(head_s, 3600.0) as (address, _):
        yield address


@contextmanager
def served(head_s: float, read_s: float) -> Iterator[tuple[tuple[str, int], uvicorn.Server]]:
    bounds = {"most": MOST, "head_s": head_s, "read_s": read_s, "most_unread": 2}
    kind = type("Small", (BoundedProtocol,), bounds)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=kind, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        yield server.servers[0].sockets[0].getsockname(), server
    finally:
        server.should_exit = True
        thread.join(30)


def answered(address: tuple[str, int]) -> bool:
    return httpx.get(f"http://{address[0]}:{address[1]}/", timeout=10).text == "ok"


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(20)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_any_number_of_silent_connections_keeps_nobody_out() -> None:
    """300 of them used up the handles of the process, and judging stopped."""
    with serving(3600.0) as address:
        silent = [socket.create_connection(address) for _ in range(3 * MOST)]
        assert answered(address)
        assert is_closed(silent[0]), "the one that waited longest"
        for each in silent:
            each.close()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"])
def test_connection_that_does_not_say_what_it_asks_is_closed(said: bytes) -> None:
    """At first, in the middle of a head, or in that of a second request."""
    with serving(0.2) as address, socket.create_connection(address) as connection:
        connection.sendall(said)
        connection.settimeout(20)
        while connection.recv(1_000):
            pass  # what was answered


def unread(address: tuple[str, int]) -> socket.socket:
    """A connection that asks for much and reads nothing of it."""
    connection = socket.create_connection(address)
    connection.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return connection


def rest_of(connection: socket.socket) -> int:
    """How much can still be read until the connection ends."""
    connection.settimeout(20)
    read = 0
    try:
        while got := len(connection.recv(1_000_000)):
            read += got
    except ConnectionError:
        pass
    return read


def test_answer_that_nobody_reads_is_given_up() -> None:
    """Each would take its memory for as long as the client pleases."""
    with served(3600.0, read_s=0.2) as (address, server):
        connection = unread(address)
        wait_for(lambda: server.server_state.total_requests == 1, "the request")
        wait_for(lambda: not server.server_state.connections, "the end of the connection")
        assert rest_of(connection) < len(LONG)


def test_of_many_answers_that_nobody_reads_the_oldest_is_given_up() -> None:
    with served(3600.0, read_s=3600.0) as (address, server):
        connections = []
        for count in range(1, 4):
            connections.append(unread(address))
            wait_for(lambda count=count: server.server_state.total_requests == count, "the request")  # type: ignore[misc]
        wait_for(lambda: len(server.server_state.connections) == 2, "the end of one")
        assert answered(address)
        assert rest_of(connections[0]) < len(LONG)
        assert rest_of(connections[2]) > len(LONG)
        for each in connections:
            each.close()  # or the server would wait for who reads nothing


def test_connection_that_asks_in_time_is_answered_again_and_again() -> None:
    with serving(0.5) as address, httpx.Client() as client:
        for _ in range(20):
            assert client.get(f"http://{address[0]}:{address[1]}/").text == "ok"


@pytest.mark.parametrize(("handles", "most"), [(65_536, 500), (1_024, 384), (256, 8), (100, 8)])
def test_some_handles_are_left_to_the_stage(handles: int, most: int) -> None:
    assert most_connections(handles, bounded.MOST, bounded.PART) == most


@pytest.mark.parametrize("handles", [400, 512, 1_024, 2_048, 4_096])
def test_servers_of_one_process_leave_what_is_reserved(handles: int) -> None:
    """Each had a limit of its own, and together they took every handle where the system gives no more than 1,024."""
    api = most_connections(handles, bounded.MOST, bounded.PART)
    broker = most_connections(handles, gate.MOST_CONNECTIONS, gate.PART)
    store = most_connections(handles, store_server.MOST_CONNECTIONS, store_server.PART)
    assert api + 2 * broker + store <= handles - RESERVE
