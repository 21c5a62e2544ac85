"""A customer's own page: signed in with its key, or in a frame of a site that may show it."""

from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.console.case.letters import mail_writer
from api.console.case.own import own_view, read_own
from api.console.case.own_pages import YOUNG_MS, OwnKept, OwnPages
from api.console.embedding import EmbedToken, is_signed, read_token, write_token
from api.console.page_words import wanted_language
from api.console.rendering import frame_headers, framed_by, page
from api.console.routing import console_router
from api.console.service import Console, ConsoleService
from api.console.viewer import Choice, in_language
from api.console.visits import FrameOverError, OwnVisit, own_turn
from api.http.access import Owner, Service, Services, customer_for
from api.http.keys import key_named
from api.http.models.parameters import CommonQuery
from api.http.problems import ApiError
from api.http.reads import Read
from api.routes.asking import who
from jobs.mail.mail import MailWriter
from schemas.times import MINUTE_MS, utc_time
from streams.io.store import StoreError

router = console_router()
#: For a customer's server, which reads a problem document (RFC 9457) and no page.
programs = APIRouter(prefix="/console", include_in_schema=False)


@router.get("/mine")
async def get_mine(request: Request, visit: OwnVisit) -> Response:
    """The page of who is signed in with a customer's key. Where too much is asked at once it is the one that was shown
    last, with its age.

    Raises:
        ApiError: 429 or 503, too much is asked at once, and none was shown yet.
    """
    customer = visit.owner.customer
    async with AsyncExitStack() as turn:
        try:
            await turn.enter_async_context(own_turn(visit))
        except ApiError:
            if (known := _pages(request).find(customer)) is None:
                raise
            return await run_in_threadpool(_shown, request, visit.service, known, framed=False)
        return await run_in_threadpool(_page, request, visit.service, customer, framed=False)


@programs.post("/embed")
def post_embed(
    request: Request, owner: Owner, service: Services, console: Console, query: Annotated[CommonQuery, Query()]
) -> Response:
    """A token for a frame: a server asks for it with a key, as it asks the HTTP API (`Authorization: Bearer`).

    Raises:
        ApiError: 403, the key is for another customer; 404, no site may show a frame; 422, no customer is named.
    """
    _wanted(console)
    customer = customer_for(owner, query.customer)
    until_ms = service.clock() + round(console.settings.embed_minutes * MINUTE_MS)
    with service.stores.lend() as store:
        key = key_named(store, owner.id)
    if key is None:
        raise ApiError(HTTPStatus.UNAUTHORIZED, "the key was revoked")
    token = write_token(EmbedToken(key=owner.id, customer=customer, until_ms=until_ms), key.key_hash)
    path = f"/console/embed?token={token}"
    expires = f"{utc_time(until_ms):%Y-%m-%dT%H:%M:%SZ}"
    body = {"token": token, "url": _address(request, console) + path, "expires": expires}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


@router.get("/embed")
def get_embed(request: Request, service: Services, console: Console, token: str = "") -> Response:
    """The page in a frame, for a token.

    Raises:
        ApiError: 401, the token is not good any more; 404, no site may show a frame.
    """
    _wanted(console)
    request.state.framed_by = console.settings.embed_origins
    customer = _customer_of(service, token)
    return _page(request, service, customer, framed=True)


def _customer_of(service: Service, token: str) -> str:
    """Whose page a good token shows; that an operator's key looks is on record."""
    found = read_token(token)
    if found is None:
        raise FrameOverError
    said, body, signature = found
    with service.stores.lend() as store:
        key = key_named(store, said.key)
    now_ms = service.clock()
    if key is None or not is_signed(body, signature, key.key_hash):
        raise FrameOverError
    if said.until_ms <= now_ms or key.owner.is_over(now_ms):
        raise FrameOverError
    if key.owner.is_operator and not service.reads.note(Read(who(key.owner), said.customer, "/console/embed")):
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "try again once the store answers")
    return customer_for(key.owner, said.customer)


def _page(request: Request, service: Service, customer: str, *, framed: bool) -> Response:
    pages = _pages(request)
    try:
        found = pages.read(customer, service.clock, lambda now_ms: read_own(service, customer, now_ms))
    except StoreError:
        if (known := pages.find(customer)) is None:
            raise
        found = known
    return _shown(request, service, found, framed=framed)


def _shown(request: Request, service: Service, known: OwnKept, *, framed: bool) -> Response:
    """The page of what is known; what is not young has its age."""
    now_ms, facts = service.clock(), known.facts
    writer = mail_writer(service.settings.mail, service.delisting)
    chosen, accepted = request.query_params.get("lang", ""), request.headers.get("accept-language", "")
    language = wanted_language(chosen, accepted, facts.account.language, writer.languages)
    view = own_view(facts, writer, known.read_ms, language, framed=framed)
    stale_ms = 0 if known.is_younger(YOUNG_MS, now_ms) else max(0, now_ms - known.read_ms)
    view = replace(view, choices=_choices(request, writer), stale_ms=stale_ms)
    headers = {"Content-Language": view.words.tag, **frame_headers(framed_by(request))}
    return page(request, "mine.html", view, headers=headers)


def _choices(request: Request, writer: MailWriter) -> tuple[Choice, ...]:
    return tuple((tag, writer.page(tag)[2].language, in_language(request, tag)) for tag in writer.languages)


def _pages(request: Request) -> OwnPages:
    state = request.app.state
    if not hasattr(state, "own_pages"):
        state.own_pages = OwnPages()
    found = state.own_pages
    assert isinstance(found, OwnPages)  # noqa: S101
    return found


def _wanted(console: ConsoleService) -> None:
    if not console.settings.embed_origins:
        raise ApiError(
            HTTPStatus.NOT_FOUND, "no site may show this page in a frame: set console.embed_origins (docs/console.md)"
        )


def _address(request: Request, console: ConsoleService) -> str:
    return console.settings.url.rstrip("/") or str(request.base_url).rstrip("/")
