"""What all targets have in common: an order, what became of it, and texts with names in braces."""

import time
from collections.abc import Callable, Iterable, Mapping
from json import dumps
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import requests

from schemas.errors import ExternalError
from schemas.hook import Effect
from schemas.hook_check import NAMES, PLACEHOLDER
from schemas.levels import Level
from schemas.secrets import HIDDEN, without_user
from schemas.version import VERSION
from schemas.wording import on_one_line
from streams.io.retry_after import retry_after_s
from streams.io.watched_session import session
from streams.io.whole_answer import as_it_is, read_body
from streams.io.whole_time import within

Operation = Literal["apply", "lift"]
#: So much of an answer is read, and shown.
ANSWER_BYTES, SHOWN = 1_000_000, 300
#: Answers that say nothing of what was asked (RFC 9110, section 15), as do those from 500 on.
LATER = frozenset({408, 425, 429})


class TargetError(ExternalError):
    """A target did not do what it was asked; the message names it and what it said. `unreachable` names it where it did
    not answer, or cannot now, whatever it is asked; `wait_s` is how long it wants to be left alone then."""

    def __init__(self, message: str = "", *, unreachable: str = "", wait_s: float = 0.0) -> None:
        super().__init__(message, unreachable=unreachable)
        self.wait_s = wait_s


class HttpAnswer(NamedTuple):
    """Status, the beginning of the body, and `Retry-After` in s."""

    status: int
    body: bytes
    retry_s: float = 0.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a target is asked. `id` is the same whenever the same is asked again, `tag` in every cycle. `repeated` says
    that it may have been done already. `stream` is the name of the part of the mail, empty where all of it is meant;
    `lifted_by` the person who wanted it lifted. `applied_ms` is epoch ms.
    """

    id: str
    tag: str
    operation: Operation
    customer: str
    scope: str
    stream: str
    effect: Effect
    about: Effect
    level: Level
    rule: str
    reason: str
    alert_id: str
    alert_ids: tuple[str, ...]
    repeated: bool = False
    applied_ms: int = 0
    lifted_by: str = ""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a target said, and by what it knows what it did."""

    said: str
    ref: dict[str, str] = {}


class HookTarget(Protocol):
    """One action of the settings. `forgets` says that it must be asked now and then whether it still has what it was
    given."""

    forgets: bool

    def shown(self, order: Order) -> str:
        """What would be asked, in a line, without secrets."""

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Do it, unless that is done already.

        Raises:
            TargetError: it was perhaps not done.
        """

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Undo it, unless that is done already.

        Raises:
            TargetError: it was perhaps not undone.
        """

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """Do it again where the target has forgotten it, or is about to; None where nothing was to be done.

        Raises:
            TargetError: it is perhaps not in force.
        """

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Undo what is in force there though it was lifted. Returns what that was.

        Raises:
            TargetError: some of it is perhaps still in force.
        """


def values_of(order: Order) -> dict[str, str]:
    """What names in braces stand for."""
    return {name: str(getattr(order, name)) for name in NAMES}


def filled(text: str, order: Order, escape: Callable[[str], str] = str) -> str:
    """A text with its names replaced; braces around anything else stay."""
    values = values_of(order)
    return PLACEHOLDER.sub(lambda found: escape(values[found[1]]) if found[1] in values else found[0], text)


def in_json(text: str) -> str:
    """Text as it stands within a JSON string."""
    return dumps(text)[1:-1]


def one_line(text: str) -> str:
    """What somebody said, in one short line that steers no terminal."""
    line = " ".join(on_one_line(text).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


class Http:
    """Requests to one address, each answered in time, of bounded size, and followed nowhere else."""

    def __init__(self, name: str, timeout_s: float, user: str = "", password: str = "") -> None:
        self._name, self._timeout_s = name, timeout_s
        self._auth = (user, password) if user else as_it_is
        self._session = session()
        self._session.headers["User-Agent"] = f"repmon/{VERSION}"

    def ask(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """The answer, whatever it says.

        Raises:
            TargetError: no answer in time, or a redirect.
        """
        try:
            with (
                within(self._timeout_s),
                self._session.request(
                    method,
                    url,
                    data=body,
                    headers=dict(headers or {}),
                    auth=self._auth,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                if answer.is_redirect:
                    raise TargetError(f"{self._name}: {without_user(url)} redirects elsewhere, which is not followed")
                retry_s = retry_after_s(answer.headers.get("Retry-After", ""), time.time()) or 0.0
                return HttpAnswer(answer.status_code, read_body(answer, ANSWER_BYTES), retry_s)
        except (requests.RequestException, OSError, ValueError) as error:
            raise TargetError(f"{self._name}: {without_user(url)}: {cause(error)}", unreachable=self._name) from error

    def good(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body of a good answer (2xx).

        Raises:
            TargetError: none, or another answer.
        """
        answer = self.ask(method, url, body=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise self.refused(method, url, answer)
        return answer.body

    def refused(self, method: str, url: str, answer: HttpAnswer) -> TargetError:
        """What an answer comes to that is no good one."""
        said = one_line(answer.body.decode("utf-8", "replace"))
        down = answer.status >= 500 or answer.status in LATER
        return TargetError(
            f"{self._name}: {method} {without_user(url)}: answer {answer.status}" + (f": {said}" if said else ""),
            unreachable=self._name if down else "",
            wait_s=answer.retry_s if down else 0.0,
        )


def cause(error: BaseException) -> str:
    """Why a request failed, in a line."""
    if isinstance(error, requests.Timeout | TimeoutError):
        return "no whole answer in time"
    said = str(error)
    if isinstance(error, requests.ConnectionError) and "refused" in said:
        return "connection refused"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "RemoteDisconnected" in said:
        return "the connection ended before the answer did"
    return one_line(said) or type(error).__name__


def json_body(value: Any) -> bytes:
    """A value as a request's body."""
    return msgspec.json.encode(value)


def shown_request(method: str, url: str, body: str, headers: Iterable[str] = ()) -> str:
    """A request as a line; values of headers are hidden."""
    hidden = "".join(f" {name}: {HIDDEN};" for name in headers)
    return one_line(f"{method} {without_user(url)}{hidden} {body}")
