"""Requests as plain data, and what answers to them mean; without input or output, for both clients."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from pydantic import BaseModel

from api.http.models.problems import ParameterProblem, Problem
from api.routes.models.alerts import Alert
from schemas.alert import AlertEvent
from schemas.errors import RepmonError
from schemas.levels import LEVELS

#: How often a request that only reads is sent, and the longest wait between two, in s.
TRIES, LONGEST_WAIT_S = 4, 60.0
#: Answers to the id of an alert that is none here, as an event that somebody forged may have.
UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.REQUEST_URI_TOO_LONG})
#: Answers after which it may go well a little later (RFC 6585 section 4, RFC 9110 section 15.6.4).
LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

#: What is said of a good answer that something else gave, such as the page of a proxy.
NOT_OURS = "what answers here is not this interface, or of another version"

T = TypeVar("T", bound=BaseModel)
Row = TypeVar("Row", bound=BaseModel)
Time = datetime | str | None


class ApiProblemError(RepmonError):
    """What the interface refused, and why (RFC 9457); `errors` names parameters and fields."""

    def __init__(self, status: int, detail: str, errors: list[ParameterProblem]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.errors = errors


class Call(NamedTuple, Generic[T]):
    """One request, and the type of its answer."""

    method: str
    path: str
    model: type[T]
    parameters: Mapping[str, Any]
    body: Mapping[str, Any] | None = None


def call(model: type[T], path: str, **parameters: Any) -> Call[T]:
    """A request that reads. What is None is left out, `start` and `end` are `from` and `to`."""
    named = {{"start": "from", "end": "to"}.get(name, name): _wire(value) for name, value in parameters.items()}
    return Call("GET", path, model, {name: value for name, value in named.items() if value is not None})


def under(path: str, name: str, then: str = "") -> str:
    """The path of one thing by its name, which is one part of it, whatever it holds."""
    return f"{path}/{quote(name, safe='') or '-'}{then}"


def decision(model: type[T], path: str, **fields: Any) -> Call[T]:
    """A request that decides something."""
    return Call("POST", path, model, {}, {name: _wire(value) for name, value in fields.items()})


def after(asked: Call[T], cursor: str) -> Call[T]:
    """The request for the next page."""
    return asked._replace(parameters={**asked.parameters, "cursor": cursor})


def answer(asked: Call[T], response: httpx.Response) -> T:
    """What an answer says.

    Raises:
        ApiProblemError: it is a refusal, or nothing that this interface answers.
    """
    if response.is_success:
        try:
            return asked.model.model_validate_json(response.content)
        except ValueError:
            raise ApiProblemError(response.status_code, NOT_OURS, []) from None
    try:
        said = Problem.model_validate_json(response.content)
    except ValueError:
        raise ApiProblemError(response.status_code, response.reason_phrase, []) from None
    raise ApiProblemError(response.status_code, said.detail, said.errors or [])


def wait_s(asked: Call[T], response: httpx.Response, tried: int) -> float | None:
    """How long to wait before it is tried again (s); None where it is not."""
    if asked.method != "GET" or response.status_code not in LATER or tried >= TRIES:
        return None
    said = response.headers.get("retry-after", "")
    return min(float(said) if said.isdecimal() else 2.0**tried, LONGEST_WAIT_S)


def still_so(event: AlertEvent, now: Alert) -> Alert | None:
    """The alert as it is now, where that bears out what an event says; else None."""
    told = event.data
    holds = now.is_open and now.held_since is None and LEVELS.index(now.level) >= LEVELS.index(told.level)
    # An alert on a stream that somebody calls one on all mail is none on all mail.
    same = (now.customer, now.scope, now.rule) == (told.customer, told.scope, told.rule)
    return now if holds and same else None


def _wire(value: Any) -> Any:
    if isinstance(value, datetime):
        # A time without a zone is a mistake that nobody sees: it would be read as local here and refused there.
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    return msgspec.to_builtins(value)
