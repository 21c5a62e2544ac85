"""Who looks at a page, and what they may do; forms, and that they were sent from a page of ours."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from api.console.service import COOKIE, Console, ConsoleService
from api.console.sessions import Session
from api.http.access import Service, Services
from api.http.keys import OPERATOR, KeyOwner
from api.http.problems import RETRY_AFTER_S, ApiError
from api.http.reads import Read
from api.http.scopes import Scope
from api.http.turns import TooManyError, WaitedTooLongError
from api.routes.asking import who
from streams.io.store import StoreError

#: How long it is waited for what the store says of a session's key, in s: to show something, and to do something.
SHOWN_S, DONE_S = 0.15, 2.0
#: Fields of one form.
MOST_FIELDS = 10_000
FORM = "application/x-www-form-urlencoded"


class SignInNeededError(ApiError):
    """Nobody is signed in, or not any more."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, detail)


class FrameOverError(ApiError):
    """The token of a frame is none, or not good any more."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, "this page is no longer good; load the page around it again")


class Visit:
    """A request of somebody who is signed in. `form` has the fields of a POST, the last of each name."""

    def __init__(
        self,
        request: Request,
        service: Service,
        session: Session,
        name: str,
        fields: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.service = service
        self.owner: KeyOwner = session.owner
        self.csrf = session.csrf
        self.who = name
        self.now_ms = service.clock()
        self.form: Mapping[str, str] = dict(fields)
        self._fields = fields
        self._request = request

    def may(self, scope: Scope) -> bool:
        """Whether they may do what needs a scope."""
        return scope in self.owner.scopes

    def all(self, name: str) -> list[str]:
        """All values of a field, in their order."""
        return [value for field, value in self._fields if field == name]

    def on_record(self, customer: str) -> None:
        """Note an operator's look at a customer's data ('' of several).

        Raises:
            ApiError: 503, it cannot be put on record.
        """
        route = str(getattr(self._request.scope.get("route"), "path", self._request.url.path))
        if self.owner.is_operator and not self.service.reads.note(Read(self.who, customer, route)):
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "what operators look at cannot be put on record; try again once the store answers",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )


async def visit(request: Request, service: Services, console: Console) -> Visit:
    """Who asks, once it is known that they may.

    Raises:
        SignInNeededError: nobody is signed in.
        ApiError: 403, a form that was sent from elsewhere; a user's name that does not come from the proxy.
    """
    session, name = await _session(request, service, console)
    fields: Sequence[tuple[str, str]] = ()
    if request.method == "POST":
        check_origin(request, console)
        fields = await read_form(request)
        sent = dict(fields).get("csrf", "")
        if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
            raise ApiError(HTTPStatus.FORBIDDEN, "this form is of another session; load the page again and repeat it")
    found = Visit(request, service, session, name, fields)
    request.state.visit = found
    return found


async def _session(request: Request, service: Service, console: ConsoleService) -> tuple[Session, str]:
    header = console.settings.user_header
    if header and (user := request.headers.get(header)) is not None:
        return _of_proxy(request, console, user)
    token = request.cookies.get(COOKIE, "")
    by_itself = request.headers.get("sec-fetch-mode") not in (None, "navigate")
    session = console.sessions.find(token, used=not by_itself) if token else None
    if session is None:
        raise SignInNeededError("sign in to go on")
    if session.key_hash:
        patience_s = SHOWN_S if request.method == "GET" else DONE_S
        owner = await _owner(service, console, session, patience_s)
        if owner is None or owner.is_over(service.clock()):
            console.sessions.end(token)
            raise SignInNeededError("the key of this session has expired" if owner else "the key was revoked")
    return session, session.owner.label if session.owner.id == "terminal" else who(session.owner)


async def _owner(service: Service, console: ConsoleService, session: Session, patience_s: float) -> KeyOwner | None:
    """What the store says of a session's key; as it was known, where that takes too long or fails: a page shows then
    what is known, and all sessions of the key end once the store says that it is not good any more."""
    asked = console.asked.get(session.key_hash)
    if asked is None or asked.done() or asked.get_loop() is not asyncio.get_running_loop():
        asked = asyncio.create_task(service.keys.find_hash(session.key_hash))
        console.asked[session.key_hash] = asked
        asked.add_done_callback(lambda answered: _answered(console, session.key_hash, answered))
    await asyncio.wait({asked}, timeout=patience_s)
    if not asked.done() or asked.cancelled() or isinstance(asked.exception(), StoreError):
        return session.owner
    return asked.result()


def _answered(console: ConsoleService, key_hash: str, answered: "asyncio.Task[KeyOwner | None]") -> None:
    if console.asked.get(key_hash) is answered:
        del console.asked[key_hash]
    if not answered.cancelled() and answered.exception() is None and answered.result() is None:
        console.sessions.end_key(key_hash)


def _of_proxy(request: Request, console: ConsoleService, user: str) -> tuple[Session, str]:
    peer = request.client.host if request.client else ""
    if not console.trusts(peer):
        raise ApiError(HTTPStatus.FORBIDDEN, "who you are must be said by a proxy in `console.trusted_proxies`")
    if not user.strip():
        raise SignInNeededError("the proxy named no user")
    name = user.strip()
    owner = KeyOwner(
        id=f"user:{name}", customer=OPERATOR, label=name, scopes=tuple(dict.fromkeys(console.settings.user_scopes))
    )
    # The same for each request of a user, and for nobody to guess.
    csrf = hmac.new(console.proxy_secret, name.encode(), sha256).hexdigest()
    return Session(owner, "", csrf, 0, 0), f"{name} (single sign-on)"


def check_origin(request: Request, console: ConsoleService) -> None:
    """That a form is sent by a page of ours, as browsers say with each (Fetch standard, section 3.2).

    Raises:
        ApiError: 403, it is not.
    """
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host", ""), urlsplit(console.settings.url).netloc}
    if origin is not None and (not origin or urlsplit(origin).netloc not in hosts - {""}):
        raise ApiError(HTTPStatus.FORBIDDEN, "this form was sent from a page elsewhere")


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a form.

    Raises:
        ApiError: 422, it is none.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"a form is sent as {FORM}")
    try:
        text = (await request.body()).decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "the form cannot be read") from error


def allowed(scope: Scope, *, operator: bool = True) -> Callable[[Visit], Awaitable[Visit]]:
    """A dependency: a visit of who has a scope, of an operator or of a customer.

    Raises (when it is asked):
        ApiError: 403.
    """

    async def found(visited: Annotated[Visit, Depends(visit)]) -> Visit:
        if visited.owner.is_operator != operator:
            raise ApiError(
                HTTPStatus.FORBIDDEN,
                "this page is for operators" if operator else "this page is for customers, who sign in with their key",
            )
        if not visited.may(scope):
            raise ApiError(HTTPStatus.FORBIDDEN, f"you may not do this: your key has not the scope `{scope}`")
        return visited

    return found


@asynccontextmanager
async def own_turn(visited: Visit) -> AsyncIterator[None]:
    """Their turn to ask the store, for the block.

    Raises:
        ApiError: 429 or 503, too much is asked at once.
    """
    try:
        async with visited.service.turns.turn(visited.owner.id):
            yield
    except TooManyError as error:
        raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, "too much at once; try again in a moment") from error
    except WaitedTooLongError as error:
        raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "too much is being asked; try again") from error


def in_turn(scope: Scope) -> Callable[[Visit], AsyncIterator[Visit]]:
    """The same, once it is their turn to ask the store, and until that is answered."""

    async def found(visited: Annotated[Visit, Depends(allowed(scope))]) -> AsyncIterator[Visit]:
        async with own_turn(visited):
            yield visited

    return found


#: Operators who look at what is in memory, without asking the store.
Watching = Annotated[Visit, Depends(allowed("read"))]
#: Operators whose page asks the store, each by the scope that it needs.
Reading = Annotated[Visit, Depends(in_turn("read"), scope="function")]
Acting = Annotated[Visit, Depends(in_turn("act"), scope="function")]
Governing = Annotated[Visit, Depends(in_turn("policy"), scope="function")]
#: A customer, about itself, before it is its turn.
OwnVisit = Annotated[Visit, Depends(allowed("read", operator=False))]
