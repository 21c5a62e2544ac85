"""Asking a provider over HTTP: what is asked again, after how long, and which error an answer is.

An answer has `timeout_s` for all of it, however it comes, and is of bounded size.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import requests

from schemas.errors import ExternalError
from schemas.secrets import without_user
from schemas.wording import on_one_line
from streams.io.retry_after import retry_after_s
from streams.io.watched_session import session
from streams.io.whole_answer import OversizedAnswerError, WholeAnswer, whole_answer

OK, NO_CONTENT, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 200, 204, 401, 403, 404, 429
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: A question is asked so often at most; in between 1, 2, 4 s, or as long as Retry-After says (RFC 9110, section
#: 10.2.3).
TRIES = 4
#: Bytes of an answer, unpacked: three times what the largest has, a day of SNDS with a line for each of 65,536
#: addresses.
MOST_BYTES = 32_000_000
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class PollError(ExternalError):
    """A provider could not be asked, or did not answer as documented; the message says who and why."""


class BadCredentialError(PollError):
    """The credentials are not taken, or not there."""


class NoAccessError(PollError):
    """The credentials are good, and give no access to what was asked about; or it is not `known` there."""

    def __init__(self, message: str, *, known: bool = True) -> None:
        super().__init__(message)
        self.known = known


class TryLaterError(PollError):
    """The provider is asked too often, cannot answer now, or cannot be reached."""


@dataclass(frozen=True)
class Requester:
    """`wait` takes s. `clock` is epoch s, and only there for a Retry-After that is a date."""

    timeout_s: float
    longest_wait_s: float
    wait: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.time
    session: requests.Session = field(default_factory=session)

    def ask(
        self,
        method: Literal["GET", "POST"],
        url: str,
        who: str,
        *,
        token: str = "",
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The body of a good answer. `who` names in errors what is asked; the query, where a key may be, never is.

        Raises:
            BadCredentialError, NoAccessError, TryLaterError, PollError: by the answer.
        """
        check_url(url, who)
        said = ""
        for attempt in range(TRIES):
            pause = 2.0**attempt
            try:
                answer = whole_answer(
                    self.session,
                    method,
                    url,
                    timeout_s=self.timeout_s,
                    most_bytes=MOST_BYTES,
                    params=params,
                    data=form,
                    json=json,
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                )
            except OversizedAnswerError as error:
                raise PollError(f"{who}: {error}, which is not read") from error
            except (requests.RequestException, OSError) as error:
                said = f"{who}: {_cause(error)}"
            else:
                if answer.status in (OK, NO_CONTENT):
                    return answer.body
                said = _said(who, answer)
                _raise_final(said, answer)
                pause = retry_after_s(answer.fields.get("Retry-After", ""), self.clock()) or pause
                if pause > self.longest_wait_s:
                    raise TryLaterError(
                        f"{said}: it asks to wait {pause:,.0f} s; what is missing comes with a later round"
                    )
            if attempt < TRIES - 1:
                self.wait(pause)
        raise TryLaterError(f"{said}, {TRIES} times")


def check_url(url: str, who: str) -> None:
    """Credentials leave this machine encrypted alone.

    Raises:
        PollError: the address is neither https nor on this machine.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise PollError(f"{who}: {without_user(url)} is not https")


def _raise_final(said: str, answer: WholeAnswer) -> None:
    """Raise what asking again does not mend."""
    code = answer.status
    if code == UNAUTHORIZED:
        raise BadCredentialError(f"{said}: the credentials are not taken")
    if code in (FORBIDDEN, NOT_FOUND):
        raise NoAccessError(said, known=code != NOT_FOUND)
    if code in REDIRECTS and "Location" in answer.fields:
        where = on_one_line(without_user(answer.fields["Location"].partition("?")[0]))[:200]
        raise PollError(f"{said}: it points to {where}; are the address and the key right?")
    if code != TOO_MANY and code < 500:
        raise PollError(said)


def _said(who: str, answer: WholeAnswer) -> str:
    """`who: 403 PERMISSION_DENIED`: of an error of Google its status, which is a word (AIP-193)."""
    reason = answer.reason
    with suppress(msgspec.DecodeError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        reason = str(msgspec.json.decode(answer.body)["error"]["status"])
    return f"{who}: {answer.status} {on_one_line(reason)[:60]}".rstrip()


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout | TimeoutError):
        return "no whole answer in time"
    ended = isinstance(error, requests.exceptions.ChunkedEncodingError) or "RemoteDisconnected" in str(error)
    return "the connection ended before the answer did" if ended else "cannot be reached"
