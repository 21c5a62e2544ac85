"""What is fetched from SNS: whole, in bounded time and of bounded size, or not at all."""

import socket

import pytest

from api.collect import certificates
from api.collect.certificates import MAX_BYTES, FetchError, fetch
from tests.support.raw_server import Speak, drips, ends_after, goes_on, raw_server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def test_body_of_a_whole_answer_is_given() -> None:
    with raw_server(ends_after(HEAD % 5 + b"a key")) as port:
        assert fetch(f"http://127.0.0.1:{port}/key.pem") == b"a key"


@pytest.mark.parametrize(
    ("speak", "said"),
    [
        (drips(HEAD % 5_000, b"x"), "no whole answer within 0.2 s"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "no whole answer within 0.2 s"),
        (goes_on(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000), f"more than {MAX_BYTES:,} bytes"),
        (ends_after(HEAD % 500 + b"half of it"), "Connection broken"),
        (ends_after(b"HTTP/1.1 200 OK\r\nContent-Le"), "ended within the header fields"),
        (
            ends_after(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
            "answers 302",
        ),
        (ends_after(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"), "answers 503 Slow Down"),
    ],
    ids=["body", "fields", "without end", "cut off", "cut off in the fields", "redirect", "fault"],
)
def test_answer_that_is_not_whole_or_no_success_may_be_asked_for_again(
    speak: Speak, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time was for each part of it: a byte now and then held a webhook for ever. No query is repeated in errors."""
    monkeypatch.setattr(certificates, "FETCH_S", 0.2)
    with raw_server(speak) as port, pytest.raises(FetchError, match=said) as caught:
        fetch(f"http://127.0.0.1:{port}/key.pem?Token=secret")
    assert "secret" not in str(caught.value)


def test_where_nobody_listens_the_error_names_no_token() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(FetchError, match="refused") as caught:
            fetch(f"http://127.0.0.1:{held.getsockname()[1]}/confirm?Token=secret")
    assert "secret" not in str(caught.value)
