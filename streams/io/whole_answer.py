"""An answer over HTTP that is whole: in bounded time, of bounded size, also once it is unpacked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import requests
from urllib3.exceptions import DecodeError, HTTPError

from schemas.errors import ExternalError
from streams.io.whole_time import within


class OversizedAnswerError(ExternalError):
    """An answer has more bytes than anybody asked for."""


class WholeAnswer(NamedTuple):
    """Status with its words, fields, and the body, unpacked."""

    status: int
    reason: str
    fields: Mapping[str, str]
    body: bytes


def whole_answer(
    asking: requests.Session, method: str, url: str, *, timeout_s: float, most_bytes: int, **options: Any
) -> WholeAnswer:
    """Ask with a session of `streams.io.watched_session.session`; redirects are not followed. `options` are those of
    `requests`.

    Raises:
        OversizedAnswerError: it has more than `most_bytes`.
        requests.RequestException, OSError: there is none, or it was not whole in `timeout_s`.
    """
    with (
        within(timeout_s),
        asking.request(
            method, url, timeout=timeout_s, allow_redirects=False, stream=True, auth=as_it_is, **options
        ) as answer,
    ):
        body = read_body(answer, most_bytes + 1)
        if len(body) > most_bytes:
            raise OversizedAnswerError(f"an answer of more than {most_bytes:,} bytes")
        return WholeAnswer(answer.status_code, answer.reason or "", answer.headers, body)


def as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request its own Authorization: without any `auth`, `requests` puts what a .netrc has in its place."""
    return request


def read_body(answer: requests.Response, most_bytes: int) -> bytes:
    """The beginning of a body that was not read yet, unpacked: all of it, where it has fewer bytes than `most_bytes`.

    Raises:
        requests.RequestException: it ended too early, or cannot be unpacked.
    """
    read = bytearray()
    try:
        while len(read) < most_bytes and (piece := answer.raw.read1(most_bytes - len(read), decode_content=True)):
            read += piece
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    return bytes(read)
