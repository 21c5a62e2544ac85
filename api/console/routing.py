"""Routes of pages: what is refused or fails is shown as a page, not as a problem document."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.console.page_words import PageWords
from api.console.rendering import HEADERS, frame_headers, framed_by, page
from api.console.viewer import viewer_words
from api.console.visits import FrameOverError, SignInNeededError
from api.http.problems import RETRY_AFTER_S, ApiError
from jobs.mail.page_phrases import PageFault
from schemas.errors import InvalidInputError
from streams.io.store import QueryLimitError, QueryValueError, StoreBusyError, StoreError

SIGN_IN = "/console/sign-in"
log = logging.getLogger("repmon.console")


#: What went wrong, by its phrases.
Fault = Literal["refused", "missing", "unusable", "busy", "slow", "down", "failed", "frame_over"]
_BY_STATUS: Mapping[int, Fault] = {
    HTTPStatus.UNAUTHORIZED: "refused",
    HTTPStatus.FORBIDDEN: "refused",
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.TOO_MANY_REQUESTS: "busy",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
}


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What went wrong, in a few words and in a sentence of who reads it; `detail` is what is known of this one, in
    English. `again` is where it may work a little later (empty: the same address) or where something else may be
    given, and `by_itself` the page asks there again; `framed` is shown in a frame of another site."""

    words: PageWords
    title: str
    said: str
    detail: str = ""
    again: str | None = None
    by_itself: bool = False
    framed: bool = False


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
    headers: Mapping[str, str] = {}
    fault: Fault
    if isinstance(error, FrameOverError):
        status, fault, detail = int(error.status), "frame_over", ""
    elif isinstance(error, ApiError):
        status, fault = int(error.status), _BY_STATUS.get(error.status, "unusable")
        # A sentence begins so; the name of a parameter stays as it is written.
        detail = error.sentence if error.parameter else error.detail[:1].upper() + error.detail[1:]
        headers = error.headers or {}
    elif isinstance(error, RequestValidationError):
        detail = "; ".join(f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        status, fault = 422, "unusable"
        if all(each["loc"][0] == "path" for each in error.errors()):
            # What cannot be the id of anything is the id of nothing.
            status, fault, detail = 404, "missing", ""
    elif isinstance(error, HTTPException):
        status, fault, detail = error.status_code, _BY_STATUS.get(error.status_code, "unusable"), str(error.detail)
    elif isinstance(error, QueryLimitError | QueryValueError):
        log.warning("store: %s", error)
        status, fault, detail = 422, "slow", ""
    elif isinstance(error, StoreBusyError):
        log.warning("store: %s", error)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        status, fault, detail = 503, "busy", ""
    elif isinstance(error, StoreError):
        # The message names hosts and SQL: it is for the log.
        log.error("store: %s", error)
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        status, fault, detail = 503, "down", ""
    elif isinstance(error, InvalidInputError):
        status, fault, detail = 422, "unusable", str(error)
    else:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        status, fault, detail = 500, "failed", ""
    words, origins, sent = viewer_words(request), framed_by(request), request.method == "POST"
    phrases: PageFault = getattr(words.page.errors, fault)
    view = ErrorView(
        words=words,
        title=phrases.title,
        said=phrases.said,
        detail=detail,
        again=_again(request, fault),
        by_itself=fault in ("busy", "down") and not sent,
        framed=bool(origins),
    )
    own = {"Content-Language": words.tag, **frame_headers(origins)}
    return page(request, "error.html", view, status, {**headers, **own})


def _again(request: Request, fault: Fault) -> str | None:
    """Where one goes on: on the form that was refused, or at the same address once it can be answered."""
    if request.method == "POST" or fault == "unusable":
        return _came_from(request)
    return "" if fault in ("busy", "slow", "down") else None


def _came_from(request: Request) -> str | None:
    """The page of ours on which a form was written; None where that is not known."""
    came_from = urlsplit(request.headers.get("referer", ""))
    if not came_from.path.startswith("/console/") or came_from.netloc != request.url.netloc:
        return None
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def _sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("sec-fetch-site") == "cross-site" and "arrived" not in request.query_params:
        # Browsers keep a cookie that is SameSite=Strict from who follows a link of another site. Asked again by a page
        # of our own they send it.
        separator = "&" if request.url.query else "?"
        return page(request, "arrived.html", f"{wanted}{separator}arrived=1")
    if request.headers.get("sec-fetch-mode") not in (None, "navigate"):
        return Response("signed out\n", HTTPStatus.UNAUTHORIZED, HEADERS, media_type="text/plain")
    chosen = request.query_params.get("lang", "")
    lang = {"lang": chosen[:64]} if chosen else {}
    asked = urlencode({"next": wanted, **lang}) if wanted != "/console/" else ""
    if request.method == "POST":
        # What was sent is lost; the page that it was written on is where one goes on.
        back = _came_from(request)
        asked = urlencode({"ended": 1, **({"next": back} if back else {})})
    return RedirectResponse(f"{SIGN_IN}?{asked}" if asked else SIGN_IN, HTTPStatus.SEE_OTHER, HEADERS)
