"""Signing in with a key or with a link that is good once, and signing out."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api.console.page_words import PageWords
from api.console.rendering import HEADERS, page
from api.console.routing import SIGN_IN, console_router
from api.console.service import COOKIE, Console, ConsoleService
from api.console.viewer import Choice, viewer_choices, viewer_words
from api.console.visits import Visit, check_origin, read_form, visit
from api.http.access import Services
from api.http.keys import hash_of

router = console_router()

HOME, OWN = "/console/", "/console/mine"
#: What is said above the form, by its phrase.
Fault = Literal["ended", "expired", "unknown", "may_not_read", "link_used"]
#: Where to go on after signing in: a page of the console.
INSIDE = re.compile(r"/console/(?![/\\])[^\\\x00-\x1f]*")


@dataclass(frozen=True, slots=True)
class SignInView:
    """Where to go on, and what was wrong with what was sent; the words of who reads it, and the page in others."""

    words: PageWords
    choices: tuple[Choice, ...]
    following: str = ""
    fault: str = ""
    lang: str = ""


@router.get("/sign-in")
async def get_sign_in(request: Request) -> Response:
    """The form."""
    query = request.query_params
    return _form(request, _inside(query.get("next", "")), "ended" if query.get("ended") == "1" else None)


@router.post("/sign-in")
async def post_sign_in(request: Request, service: Services, console: Console) -> Response:
    """A session for a good key."""
    check_origin(request, console)
    form = dict(await read_form(request))
    key, following = form.get("key", "").strip(), _inside(form.get("next", ""))
    owner = await service.keys.find(key)
    if owner is None or owner.is_over(service.clock()):
        return _form(request, following, "expired" if owner else "unknown", HTTPStatus.UNAUTHORIZED)
    if "read" not in owner.scopes:
        return _form(request, following, "may_not_read", HTTPStatus.FORBIDDEN)
    home = HOME if owner.is_operator else f"{OWN}{_query(request)}"
    return _signed_in(console, console.sessions.begin(owner, hash_of(key)), (owner.is_operator and following) or home)


@router.get("/enter")
async def get_enter(request: Request, console: Console, token: str = "") -> Response:
    """A session for a link that was printed on a terminal, once."""
    session = console.sessions.follow(token)
    if session is None:
        return _form(request, "", "link_used", HTTPStatus.UNAUTHORIZED)
    return _signed_in(console, session, HOME)


@router.post("/sign-out")
async def post_sign_out(request: Request, console: Console, visited: Annotated[Visit, Depends(visit)]) -> Response:
    """The end of the session."""
    console.sessions.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER, HEADERS)
    answer.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict", secure=console.is_secure)
    return answer


def _form(request: Request, following: str, fault: Fault | None, status: int = HTTPStatus.OK) -> Response:
    words = viewer_words(request)
    said = str(getattr(words.page.sign_in, fault)) if fault else ""
    # What a form was sent to has no page of its own to be had in another language.
    choices = viewer_choices(request) if request.method == "GET" and fault != "link_used" else ()
    view = SignInView(words, choices, following, said, _query(request))
    return page(request, "sign_in.html", view, status, {"Content-Language": words.tag})


def _query(request: Request) -> str:
    """The language that was chosen, as the next address has it."""
    chosen = request.query_params.get("lang", "")
    return f"?{urlencode({'lang': chosen[:64]})}" if chosen else ""


def _signed_in(console: ConsoleService, token: str, following: str) -> Response:
    answer = RedirectResponse(following, HTTPStatus.SEE_OTHER, HEADERS)
    answer.set_cookie(COOKIE, token, path="/console", httponly=True, samesite="strict", secure=console.is_secure)
    return answer


def _inside(following: str) -> str:
    return following if INSIDE.fullmatch(following) else ""
