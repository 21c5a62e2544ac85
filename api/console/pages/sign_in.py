"""Signing in with a key or with a link that is good once, and signing out."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.console.rendering import HEADERS, page
from api.console.routing import SIGN_IN, console_router
from api.console.service import COOKIE, Console, ConsoleService
from api.console.visits import Visit, check_origin, read_form, visit
from api.http.access import Services
from api.http.keys import hash_of

router = console_router()

ENDED = "Your session had ended, so nothing was done. Sign in, and repeat it."
HOME, OWN = "/console/", "/console/mine"
#: Where to go on after signing in: a page of the console.
INSIDE = re.compile(r"/console/(?![/\\])[^\\\x00-\x1f]*")


@dataclass(frozen=True, slots=True)
class SignInView:
    """Where to go on, and what was wrong with what was sent."""

    following: str = ""
    fault: str = ""


@router.get("/sign-in")
async def get_sign_in(request: Request) -> Response:
    """The form."""
    query = request.query_params
    said = ENDED if query.get("ended") == "1" else ""
    return page(request, "sign_in.html", SignInView(_inside(query.get("next", "")), said))


@router.post("/sign-in")
async def post_sign_in(request: Request, service: Services, console: Console) -> Response:
    """A session for a good key."""
    check_origin(request, console)
    form = dict(await read_form(request))
    key, following = form.get("key", "").strip(), _inside(form.get("next", ""))
    owner = await service.keys.find(key)
    if owner is None or owner.is_over(service.clock()):
        said = "This key has expired." if owner else "This key is not known, or it was revoked."
        return page(request, "sign_in.html", SignInView(following, said), HTTPStatus.UNAUTHORIZED)
    if "read" not in owner.scopes:
        return page(request, "sign_in.html", SignInView(following, "This key may not read."), HTTPStatus.FORBIDDEN)
    home = HOME if owner.is_operator else OWN
    return _signed_in(console, console.sessions.begin(owner, hash_of(key)), (owner.is_operator and following) or home)


@router.get("/enter")
async def get_enter(request: Request, console: Console, token: str = "") -> Response:
    """A session for a link that was printed on a terminal, once."""
    session = console.sessions.follow(token)
    if session is None:
        said = "This link was used, or is too old. A new start prints a new one; an operator's key is good as well."
        return page(request, "sign_in.html", SignInView("", said), HTTPStatus.UNAUTHORIZED)
    return _signed_in(console, session, HOME)


@router.post("/sign-out")
async def post_sign_out(request: Request, console: Console, visited: Annotated[Visit, Depends(visit)]) -> Response:
    """The end of the session."""
    console.sessions.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER, HEADERS)
    answer.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict", secure=console.is_secure)
    return answer


def _signed_in(console: ConsoleService, token: str, following: str) -> Response:
    answer = RedirectResponse(following, HTTPStatus.SEE_OTHER, HEADERS)
    answer.set_cookie(COOKIE, token, path="/console", httponly=True, samesite="strict", secure=console.is_secure)
    return answer


def _inside(following: str) -> str:
    return following if INSIDE.fullmatch(following) else ""
