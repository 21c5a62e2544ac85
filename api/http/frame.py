"""What holds for every answer, around the routes: bounded bodies, HEAD, entity tags, gzip, CORS, and fixed headers.

From the outside in: `Frame`, CORS where it is wanted, gzip, `Tags`, the application. An answer that is given in pieces
has no tag.
"""

import hashlib
import re
from asyncio import timeout
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus

from fastapi import FastAPI, HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import body_problem

#: The largest body that is read, and for how long it may come, in s.
MAX_BODY, BODY_S = 256_000, 10.0
#: A body smaller than this is not worth packing; one level more costs more time than it saves bytes.
GZIP_BYTES, GZIP_LEVEL = 1_000, 4
#: The answers say when they were given: that alone does not make another answer of them.
GIVEN_AT = frozenset({"/v1/standing", "/v1/listings"})
TIME = re.compile(rb'"time":"[^"]*"')
#: Each is set where an answer does not say otherwise. Nothing here is to be shown within another page.
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: What a script of another site may send and read, where CORS is wanted.
CORS_SENT = ("Authorization", "X-API-Key", "If-None-Match", "Idempotency-Key")
CORS_READ = ("ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "Link")
CORS_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = "repmon.headers"


def add_frame(app: FastAPI, cors_origins: Sequence[str]) -> None:
    """Put it around the application."""
    # Each one is put around those before it.
    app.add_middleware(Tags)
    app.add_middleware(Packing, minimum_size=GZIP_BYTES, compresslevel=GZIP_LEVEL)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=CORS_METHODS,
            allow_headers=CORS_SENT,
            expose_headers=CORS_READ,
        )
    fixed = SECURITY | ({"Cross-Origin-Resource-Policy": "cross-origin"} if cors_origins else {})
    app.add_middleware(Frame, headers=fixed)


def answer_with(scope: Scope, headers: Mapping[str, str]) -> None:
    """Have the answer to a request carry these, whatever it will be."""
    scope[_HEADERS].update(headers)


class Packing(GZipMiddleware):
    """Packs answers with gzip for who takes that. Starlette 1.3 looks only whether the word is in the header."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            asked = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
            if takes_gzip(Headers(scope=scope).getlist("accept-encoding")):
                asked.append((b"accept-encoding", b"gzip"))
            scope = {**scope, "headers": asked}
        await super().__call__(scope, receive, send)


def takes_gzip(lines: Sequence[str]) -> bool:
    """Whether `Accept-Encoding` takes it (RFC 9110 section 12.5.3). A weight that cannot be read is none."""
    weights: dict[str, float] = {}
    for part in ",".join(lines).lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        with suppress(ValueError):
            weights[name] = float(weight)
    return next((weights[each] > 0 for each in ("gzip", "x-gzip", "*") if each in weights), False)


class Frame:
    """Bounds what is read, answers HEAD as GET without the body, and sets headers."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._fixed = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        asked: dict[str, str] = {}
        inner = {**scope, _HEADERS: asked, "method": "GET" if is_head else scope["method"]}

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in {**self._fixed, **asked}.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            elif is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            # Not read: the connection ends with the answer.
            await body_problem(_too_large())(inner, receive, framed)
            return
        await self._app(inner, _Body(receive), framed)


class _Body:
    """Gives the body of a request, as long as it is not too much and comes in time.

    Raises (when it is asked):
        HTTPException: 413 or 408. What was not read ends the connection.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._left = MAX_BODY
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with timeout(BODY_S):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {BODY_S:g} s", {"Connection": "close"}
            ) from error
        self._whole = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large()
        return message


def _too_large() -> HTTPException:
    said = f"a body has at most {MAX_BODY:,} bytes"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said, {"Connection": "close"})


class Tags:
    """Gives whole answers to GET an entity tag, and 304 to who has them already (RFC 9110 sections 8.8.3 and 13.1.2).

    The tag is a weak one: packed or not, it is the same answer. Only who asked may keep it, and asks each time whether
    it still holds.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                held = message
                return
            if held is not None:
                start, held = held, None
                if not message.get("more_body", False):
                    start, message = _tagged(scope, start, message)
                await send(start)
            await send(message)

        await self._app(scope, receive, tagged)


def _tagged(scope: Scope, start: Message, body: Message) -> tuple[Message, Message]:
    headers = MutableHeaders(raw=list(start["headers"]))
    content = body.get("body", b"")
    if scope["path"] in GIVEN_AT:
        content = TIME.sub(b"", content, count=1)
    # SHA-1 takes two thirds of the time of BLAKE2, and it only has to tell answers to the same asker apart.
    hashed = hashlib.sha1(headers.get("content-type", "").encode(), usedforsecurity=False)
    hashed.update(content)
    tag = headers.setdefault("ETag", f'W/"{hashed.hexdigest()[:24]}"')
    headers["Cache-Control"] = "private, no-cache"
    varies = [each.strip() for each in headers.get("vary", "").split(",")]
    for each in ("Authorization", "X-API-Key", "Accept"):
        if each not in varies:
            headers.add_vary_header(each)
    if not _has(Headers(scope=scope).getlist("if-none-match"), tag):
        return {**start, "headers": headers.raw}, body
    for each in ("Content-Type", "Content-Length", "Content-Disposition"):
        if each in headers:
            del headers[each]
    return {**start, "status": HTTPStatus.NOT_MODIFIED, "headers": headers.raw}, {**body, "body": b""}


def _has(asked: Sequence[str], tag: str) -> bool:
    """Whether one of the tags is `tag`, weakly compared."""
    tags = {each.strip().removeprefix("W/") for line in asked for each in line.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags
