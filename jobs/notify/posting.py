"""One request to a target, to an address that was checked, within a time and a size. Redirects are not followed."""

import ssl
from collections.abc import Mapping
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.response import BaseHTTPResponse

from jobs.notify.addresses import NotFoundError, look_up
from jobs.notify.notification import Outcome
from schemas.errors import ExternalError
from schemas.secrets import without_user
from schemas.version import VERSION
from schemas.wording import on_one_line
from streams.io.retry_after import retry_after_s
from streams.io.whole_header import WholeHeaderConnection, WholeHeaderTlsConnection
from streams.io.whole_time import within

USER_AGENT = f"repmon/{VERSION}"
#: Bytes of an answer that are read, and characters that are shown.
MOST_READ, MOST_SHOWN = 65_536, 200
OK, REDIRECT, BAD_REQUEST, SERVER_FAULT = 200, 300, 400, 500
#: Refusals that another try may mend: Request Timeout, Too Early, Too Many Requests (RFC 9110, 8470, 6585).
LATER = frozenset({408, 425, 429})
DEFAULT_PORTS = {"http": 80, "https": 443}


class NoAnswerError(ExternalError):
    """The target did not answer; the message says why. Another try may."""


class TargetAnswer(NamedTuple):
    """Status, the beginning of the body, and the fields by which another try is timed. `whole` says that the body ended
    as it should, as far as it was read."""

    status: int
    body: bytes
    retry_after: str = ""
    location: str = ""
    whole: bool = True


class _Said(msgspec.Struct):
    status: str = ""


#: What such a `status` is.
_ERRORS = frozenset({"error", "failure", "failed", "invalid event"})


class Poster:
    """Asks targets of one route. Used by several threads at a time."""

    def __init__(self, *, allow_private: bool, timeout_s: float, ca_file: str = "") -> None:
        """Raises OSError or ssl.SSLError where `ca_file` cannot be used."""
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file or None)

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> TargetAnswer:
        """What the target answers.

        Raises:
            NotPublicError: its address is not public.
            NoAnswerError: no connection, no trust, or no whole answer in time.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        try:
            place = look_up(host, port, allow_private=self._allow_private)
        except NotFoundError as error:
            raise NoAnswerError(str(error)) from error
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        said = ""
        for address in place.addresses:
            connection = self._connection(parts.scheme, address, port, host)
            try:
                return self._answer(connection, method, target, sent, body)
            except NewConnectionError as error:
                said = _cause(error)  # nothing was sent: another address may take it
            except ConnectTimeoutError:
                said = f"no connection within {self._timeout_s:g} s"
            except (HTTPError, HTTPException, OSError) as error:
                raise NoAnswerError(_cause(error)) from error
            finally:
                connection.close()
        raise NoAnswerError(said)

    def _connection(self, scheme: str, address: str, port: int, host: str) -> HTTPConnection:
        if scheme == "http":
            return WholeHeaderConnection(address, port, timeout=self._timeout_s)
        return WholeHeaderTlsConnection(
            address,
            port,
            timeout=self._timeout_s,
            ssl_context=self._tls,
            server_hostname=host,
        )

    def _answer(
        self, connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> TargetAnswer:
        with within(self._timeout_s) as whole:
            whole.watch(connection)
            connection.request(method, target, body=body, headers=headers, preload_content=False, decode_content=False)
            answer = connection.getresponse()
            read, whole_body = _body(answer)
        fields = answer.headers
        return TargetAnswer(answer.status, read, fields.get("Retry-After", ""), fields.get("Location", ""), whole_body)


def outcome_of_service(answer: TargetAnswer, now_ms: int, service: str) -> Outcome:
    """The same of a service that never answers with a page: where one comes with 200, it is of what stands before the
    service (a sign-in), and nothing was taken."""
    outcome = outcome_of(answer, now_ms)
    if outcome.result != "taken":
        return outcome
    if answer.body.lstrip()[:1] == b"<":
        said = f"{answer.status} with a page in place of an answer of {service}: is the address right?"
        return Outcome(result="later", said=said)
    if not answer.whole:  # it may have been one; asked again, such a service does nothing twice
        return Outcome(result="later", said="the connection ended before the answer did")
    if _says_error(answer.body):
        return Outcome(result="later", said=f"{outcome.said}: an error, whatever its code")
    return outcome


def _says_error(body: bytes) -> bool:
    """Whether a body is JSON that says that nothing was taken, as gateways before a service answer with 200."""
    try:
        found = msgspec.json.decode(body, type=_Said)
    except (msgspec.DecodeError, RecursionError):
        return False
    return found.status.lower() in _ERRORS


def outcome_of(answer: TargetAnswer, now_ms: int) -> Outcome:
    """What an answer means: 2xx is taken, what may mend by itself is tried later, all else never."""
    said = f"{answer.status} {_beginning(answer.body)}".rstrip()
    if OK <= answer.status < REDIRECT:
        return Outcome(result="taken", said=said)
    if answer.status in LATER or answer.status >= SERVER_FAULT:
        wait_s = retry_after_s(answer.retry_after, now_ms / 1000) or 0.0
        return Outcome(result="later", said=said, wait_ms=round(wait_s * 1000))
    if REDIRECT <= answer.status < BAD_REQUEST:
        where = on_one_line(without_user(answer.location))[:MOST_SHOWN] or "no place"
        return Outcome(result="never", said=f"{answer.status}: it points to {where}; redirects are not followed")
    return Outcome(result="never", said=said)


def _body(answer: BaseHTTPResponse) -> tuple[bytes, bool]:
    """The beginning of a body, and whether it came whole. The status is known by now: what ends early, or is framed
    badly, changes nothing of what the target did, and asking again would have it done twice."""
    try:
        return answer.read(MOST_READ), True
    except (ProtocolError, InvalidHeader):
        return b"", False


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) or isinstance(error.__context__, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "no TLS"
        return f"its certificate is not trusted: {reason}" if "CERTIFICATE" in str(error) else f"TLS fails: {reason}"
    if isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected):
        return "what it answers is no HTTP/1.1"
    # urllib3 2 has a refused connection among its time-outs.
    if isinstance(error, TimeoutError | ReadTimeoutError):
        return "no whole answer in time"
    cause = error.__cause__ or error.__context__
    found = error if isinstance(error, OSError) and error.strerror else cause
    strerror = getattr(found, "strerror", None)
    return f"cannot be reached: {strerror.lower()}" if strerror else "the connection ended before the answer did"


def _beginning(body: bytes) -> str:
    """The beginning of a body as one line that cannot steer a terminal."""
    text = " ".join(body[: MOST_SHOWN * 4].decode("utf-8", "replace").split())
    return on_one_line(text)[:MOST_SHOWN]
