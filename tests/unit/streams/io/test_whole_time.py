"""What a peer says is waited for so long in all, however often it says something."""

import smtplib
import socket
import threading

import pytest

from streams.io.watched_session import session
from streams.io.whole_time import within
from tests.support.raw_server import drips, raw_server

#: Fields and bodies that never end.
NEVER_READY = {
    "fields": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "the status": (b"HTTP/1.1 2", b"0"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"y"),
}


@pytest.mark.parametrize("kind", NEVER_READY)
def test_request_whose_answer_never_ends_is_ended(kind: str) -> None:
    with raw_server(drips(*NEVER_READY[kind])) as port, pytest.raises(TimeoutError), within(0.2):
        session().get(f"http://127.0.0.1:{port}/", timeout=5)


def test_connection_that_is_used_again_is_ended_too() -> None:
    calls = iter([b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])

    def speak(connection: socket.socket, over: threading.Event) -> None:
        for text in calls:
            connection.recv(65_536)
            connection.sendall(text)
        while not over.wait(0.02):
            connection.sendall(b"y")

    with raw_server(speak) as port:
        asking = session()
        with within(5):
            assert asking.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 204
        with pytest.raises(TimeoutError), within(0.2):
            asking.get(f"http://127.0.0.1:{port}/", timeout=5)


def test_mail_server_that_never_ends_its_greeting_is_not_waited_for() -> None:
    with raw_server(drips(b"220-", b"y\r\n220-", first=True)) as port, pytest.raises(TimeoutError):
        client = smtplib.SMTP(timeout=5)
        with within(0.2) as whole:
            whole.watch(client)
            client.connect("127.0.0.1", port)


def test_error_in_time_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), within(60):
        raise ValueError("mine")


def test_time_outside_of_it_is_not_bounded() -> None:
    with within(60) as whole:
        pass
    assert not whole.ended
