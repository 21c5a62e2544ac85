"""An answer is whole, or there is none."""

import gzip
from pathlib import Path

import pytest
import requests

from streams.io.watched_session import session
from streams.io.whole_answer import OversizedAnswerError, whole_answer
from tests.support.raw_server import Speak, drips, ends_after, goes_on, raw_server, says

OK = b"HTTP/1.1 200 OK\r\n"
PACKED = gzip.compress(b"0" * 5_000)


def ask(speak: Speak, **options: object) -> bytes:
    with raw_server(speak) as port, session() as asking:
        return whole_answer(asking, "GET", f"http://127.0.0.1:{port}/", timeout_s=0.5, most_bytes=1_000, **options).body


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (OK + b"Content-Length: 1000\r\n\r\n" + b"y" * 1_000, b"y" * 1_000),
        (OK + b"\r\nto the end of the connection", b"to the end of the connection"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_whole_answer_is_given_as_it_is(text: bytes, body: bytes) -> None:
    assert ask(ends_after(text)) == body


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 2",
        OK,
        OK + b"Content-Type: text/plain\r\n",
        OK + b"Content-Type: text/plain\r\nX-",
        OK + b"Content-Length: 9\r\n\r\n",
        OK + b"Content-Length: 9\r\n\r\nhalf",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        OK + b"Transfer-Encoding: chunked\r\n\r\nmany\r\nhalf",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_answer_that_ends_too_early_or_cannot_be_unpacked_is_none(text: bytes) -> None:
    """One that ended within its fields was one without a body."""
    with pytest.raises((requests.RequestException, OSError)):
        ask(ends_after(text))


@pytest.mark.parametrize(
    "speak",
    [
        goes_on(OK + b"\r\n", b"y" * 65_536),
        says(OK + b"Content-Length: 100000000\r\n\r\n" + b"y" * 100_000),
        says(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED),
    ],
)
def test_answer_with_more_bytes_than_allowed_is_not_read_further(speak: Speak) -> None:
    with pytest.raises(OversizedAnswerError, match="more than 1,000 bytes"):
        ask(speak)


def test_answer_that_comes_byte_by_byte_has_its_time() -> None:
    with pytest.raises((requests.Timeout, TimeoutError)):
        ask(drips(OK + b"Content-Length: 900\r\n\r\n", b"y"))


def test_login_of_a_request_is_not_replaced_by_one_of_a_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` puts it in the place of a header that is given."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    heard: list[bytes] = []

    def speak(connection, _over):  # type: ignore[no-untyped-def]
        heard.append(connection.recv(65_536))
        connection.sendall(OK + b"Content-Length: 0\r\n\r\n")

    ask(speak, headers={"Authorization": "Bearer mine"})
    assert b"Authorization: Bearer mine" in heard[0]
