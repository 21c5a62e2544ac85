"""Routes of pages: what is refused or fails is shown as a page, not as a problem document."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.console.rendering import HEADERS, page
from api.console.visits import SignInNeededError
from api.http.problems import RETRY_AFTER_S, ApiError
from schemas.errors import InvalidInputError
from streams.io.store import QueryLimitError, QueryValueError, StoreError

SIGN_IN = "/console/sign-in"
log = logging.getLogger("repmon.console")


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What went wrong, in a few words and in a sentence; with `again` it may work a little later."""

    status: int
    title: str
    detail: str
    again: bool = False


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's, and every error is answered."""
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:  # the last resort of a page
                return error_page(request, error)

        return answered


def console_router() -> APIRouter:
    """For the routes of a page, all below `/console`."""
    return APIRouter(prefix="/console", include_in_schema=False, route_class=PageRoute)


def error_page(request: Request, error: Exception) -> Response:
    """What is shown in place of a page."""
    if isinstance(error, SignInNeededError):
        return _sign_in(request)
    headers: Mapping[str, str] | None = None
    if isinstance(error, ApiError):
        view = ErrorView(error.status, error.status.phrase, error.detail, error.status in (429, 503))
        headers = error.headers
    elif isinstance(error, RequestValidationError):
        said = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        view = ErrorView(422, "This cannot be asked", said)
    elif isinstance(error, HTTPException):
        view = ErrorView(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail))
    elif isinstance(error, QueryLimitError | QueryValueError):
        log.warning("store: %s", error)
        view = ErrorView(
            422,
            "This took too long",
            "Either the store is slow at present: then try again. Or this asks for more than one page may have: ask "
            "for less, such as a day.",
            True,
        )
    elif isinstance(error, StoreError):
        # The message names hosts and SQL: it is for the log.
        log.error("store: %s", error)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        view = ErrorView(503, "The store does not answer", "Nothing is lost: it is read again once it answers.", True)
    elif isinstance(error, InvalidInputError):
        view = ErrorView(422, "This cannot be done", str(error))
    else:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        view = ErrorView(500, "Something went wrong here", "It has been logged.")
    return page(request, "error.html", view, view.status, headers)


def _sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("sec-fetch-site") == "cross-site" and "arrived" not in request.query_params:
        # Browsers keep a cookie that is SameSite=Strict from who follows a link of another site. Asked again by a page
        # of our own they send it.
        separator = "&" if request.url.query else "?"
        return page(request, "arrived.html", f"{wanted}{separator}arrived=1")
    if request.headers.get("sec-fetch-mode") not in (None, "navigate"):
        return Response("signed out\n", HTTPStatus.UNAUTHORIZED, HEADERS, media_type="text/plain")
    asked = urlencode({"next": wanted}) if wanted != "/console/" else ""
    if request.method == "POST":
        # What was sent is lost; the page that it was written on is where one goes on.
        came_from = urlsplit(request.headers.get("referer", ""))
        back = came_from.path + (f"?{came_from.query}" if came_from.query else "")
        asked = urlencode({"ended": 1, **({"next": back} if came_from.netloc == request.url.netloc else {})})
    return RedirectResponse(f"{SIGN_IN}?{asked}" if asked else SIGN_IN, HTTPStatus.SEE_OTHER, HEADERS)
