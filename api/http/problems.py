"""Errors as problem details (RFC 9457), `application/problem+json`, for every path of the interface."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api.http.models.problems import ParameterProblem, Problem
from schemas.errors import RepmonError
from schemas.wording import said_of
from streams.io.store import QueryLimitError, QueryValueError, StoreBusyError, StoreError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
#: What is called so where the body as a whole is meant.
BODY = "body"
#: What is said of mistakes, where pydantic's words say it less well.
SAID = {
    "extra_forbidden": "there is none of this name here; /docs shows which there are",
    "model_attributes_type": "must be a JSON object, sent as `Content-Type: application/json`",
}
#: What is answered to one that is too large, or comes too slowly.
OF_BODY = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT})

log = logging.getLogger(__name__)


class ApiError(RepmonError):
    """A request that is refused; `parameter` names the query parameter that is wrong, if it is one."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        parameter: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.parameter = parameter
        self.headers = headers

    @property
    def sentence(self) -> str:
        """The detail with the name of the parameter that it is said of."""
        if not self.parameter or self.detail.startswith(self.parameter):
            return self.detail
        return said_of(self.parameter, self.detail)


def problem(
    status: int,
    detail: str,
    errors: list[ParameterProblem] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem response. The type is `about:blank`, so the title is the status phrase (RFC 9457 section 4.2.1)."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return JSONResponse(
        body.model_dump(exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def add_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem response."""
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(QueryLimitError, _too_much)
    app.add_exception_handler(QueryValueError, _out_of_range)
    app.add_exception_handler(StoreBusyError, _busy)
    app.add_exception_handler(StoreError, _store_down)
    app.add_exception_handler(Exception, _unexpected)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101
    named = [ParameterProblem(parameter=error.parameter, detail=error.detail)] if error.parameter else None
    return problem(error.status, error.sentence, named, error.headers)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [
        _no_json(each["loc"][-1])
        if each["type"] == "json_invalid"
        else ParameterProblem(parameter=_named(each["loc"]), detail=SAID.get(each["type"], each["msg"]))
        for each in error.errors()
    ]
    detail = "; ".join(f"{each.parameter}: {each.detail}" for each in found)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, found)


def _no_json(position: str | int | None = None) -> ParameterProblem:
    where = f", and is none from character {position} on" if position is not None else ""
    return ParameterProblem(parameter=BODY, detail=f"must be JSON in UTF-8{where}")


def _named(place: Sequence[str | int]) -> str:
    """The parameter or field. One that may be given several times has its name alone."""
    where, *parts = place
    return ".".join(str(part) for part in parts if where == "body" or isinstance(part, str)) or str(where)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's word for a body in which it finds no text at all; one that is no JSON is `_invalid`.
        found = _no_json()
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{BODY}: {found.detail}", [found])
    if error.status_code in OF_BODY:
        return body_problem(error)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request, headers.get("Allow", "")))
    return problem(error.status_code, str(error.detail), headers=headers)


def _methods(request: Request, named: str) -> list[str]:
    """What a path is answered to. FastAPI names the methods of one of its routes, and not HEAD (`Frame`)."""
    path = getattr(request.scope.get("route"), "path", "")
    described: Mapping[str, object] = request.app.openapi()["paths"].get(path, {})
    found = {each.upper() for each in described} or {each.strip() for each in named.split(",")}
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def body_problem(error: HTTPException) -> Response:
    """What is wrong with the body as a whole."""
    named = [ParameterProblem(parameter=BODY, detail=str(error.detail))]
    return problem(error.status_code, str(error.detail), named, error.headers)


def _store_down(_: Request, error: Exception) -> Response:
    # The message names hosts and SQL: it is for the log, not for customers.
    log.error("store: %s", error)
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer; try again", headers=headers)


def _busy(_: Request, error: Exception) -> Response:
    log.warning("store: %s", error)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the store could not answer this in time; try again, or ask for less, such as a shorter range of time",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _too_much(_: Request, error: Exception) -> Response:
    log.warning("store: %s", error)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "this would take more of the store than one request may; ask for less, such as a shorter range of time",
    )


def _out_of_range(_: Request, error: Exception) -> Response:
    log.warning("store: %s", error)
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "a value in the request is out of range; send a `cursor` as it was given"
    )


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; it has been logged")
