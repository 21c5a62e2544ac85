"""The fleet: every customer as it stands now, searched, sorted, and kept up to date while somebody looks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec
from fastapi import Request, Response
from fastapi.datastructures import QueryParams
from fastapi.responses import StreamingResponse
from markupsafe import Markup

from api.console.fleet.drawn import DrawnRows, row_id
from api.console.fleet.table import ASCENDING, PAGE, SIZES, SORTS, FleetPage, FleetQuery, Sort
from api.console.fleet.watch import FleetState
from api.console.rendering import HEADERS, page
from api.console.routing import console_router
from api.console.service import Console, ConsoleService
from api.console.templating import environment
from api.console.visits import SignInNeededError, Watching, visit
from api.http.access import Service, Services
from api.http.problems import ApiError
from schemas.levels import LEVELS

router = console_router()

#: Standings that can be chosen, the worst first.
STANDINGS = ("suspended", *reversed(LEVELS), "insufficient_volume", "reinstated", "inactive")
#: How long the first reading of the fleet is waited for, in s.
FIRST_S = 2.0
#: A live page hears so often at least that it is connected, and is asked who looks, in s.
BEAT_S = 15.0
#: A live page is connected anew after so long, in s.
LIVE_S = 3_600.0
LONGEST_TEXT = 256
FLAGS = {"open": "only_open", "held": "only_held", "unobservable": "unobservable"}


@dataclass(frozen=True, slots=True)
class FleetView:
    """A page of the fleet: what was asked, its rows as they are drawn, how many stand how, and what can be chosen."""

    query: FleetQuery
    page: FleetPage
    rows: tuple[Markup, ...]
    standings: tuple[tuple[str, int], ...]
    plans: Sequence[str]
    pools: Sequence[str]
    metrics: Sequence[str]
    total: int
    notes: Markup
    read_ms: int
    failing: bool
    version: int

    @property
    def first(self) -> int:
        """Which of all the first row is, from 1."""
        return (self.page.number - 1) * self.query.size + 1 if self.page.total else 0

    @property
    def last(self) -> int:
        """Which the last row is."""
        return self.first + len(self.page.rows) - 1 if self.page.total else 0

    @property
    def before(self) -> str:
        """The page before; empty if there is none."""
        return self.url(page=self.page.number - 1) if self.page.number > 1 else ""

    @property
    def after(self) -> str:
        """The next page; empty if there is none."""
        return self.url(page=self.page.number + 1) if self.page.number < self.page.pages else ""

    @property
    def live(self) -> str:
        """Where this page is told of what is new."""
        asked = _encoded(msgspec.structs.replace(self.query, page=self.page.number))
        return f"/console/fleet/live?{asked}{'&' if asked else ''}version={self.version}"

    def url(self, **changes: object) -> str:
        """The page with something else asked for: the first one, if not said otherwise."""
        asked = _encoded(msgspec.structs.replace(self.query, **{"page": 1, **changes}))
        return f"/console/?{asked}" if asked else "/console/"

    def sorted_by(self, sort: Sort) -> str:
        """The page sorted by a column, or the other way round if it is already."""
        descending = not self.query.descending if sort == self.query.sort else sort not in ASCENDING
        return self.url(sort=sort, descending=descending)

    def order(self, sort: Sort) -> str:
        """How a column is sorted, as `aria-sort` says it; empty if it is not."""
        return ("descending" if self.query.descending else "ascending") if sort == self.query.sort else ""

    def toggled(self, standing: str) -> str:
        """The page with a standing among those chosen, or not any more."""
        chosen = self.query.standings
        return self.url(standings=tuple(each for each in STANDINGS if (each in chosen) != (each == standing)))


def fleet_view(state: FleetState, query: FleetQuery, rows: Mapping[tuple[str, str], Markup] | None = None) -> FleetView:
    """The view of a state. `rows` are drawn already. Pure."""
    table = state.table
    found = table.page(query)
    return FleetView(
        query=query,
        page=found,
        rows=tuple((rows or {}).get(row.key, Markup()) for row in found.rows),
        standings=tuple((name, table.by_standing.get(name, 0)) for name in STANDINGS),
        plans=table.plans,
        pools=table.pools,
        metrics=table.metrics,
        total=sum(table.by_standing.values()),
        notes=notes_of(state),
        read_ms=state.read_ms,
        failing=state.failing,
        version=state.version,
    )


def notes_of(state: FleetState) -> Markup:
    """What waits for a decision or hits many now, with where to look at it."""
    drawn: Markup = _notes()(state.table.held, state.incidents)
    return drawn


@cache
def _notes() -> Callable[..., Markup]:
    found: Callable[..., Markup] = environment().get_template("parts/fleet_notes.html").module.fleet_notes  # type: ignore[attr-defined]
    return found


def asked_of(parameters: QueryParams) -> FleetQuery:
    """What an address asks for.

    Raises:
        ApiError: 422, naming the parameter.
    """
    standings = tuple(parameters.getlist("standing"))
    for each in standings:
        if each not in STANDINGS:
            raise _wrong("standing", f"{each!r} is no standing; there are {', '.join(STANDINGS)}")
    sort, order = parameters.get("sort", "worst"), parameters.get("order", "")
    if sort not in SORTS:
        raise _wrong("sort", f"{sort!r} is no column; there are {', '.join(SORTS)}")
    if order not in ("", "asc", "desc"):
        raise _wrong("order", "is asc or desc")
    flags = {field: parameters.get(name) == "1" for name, field in FLAGS.items()}
    return FleetQuery(
        standings=tuple(each for each in STANDINGS if each in standings),
        metric=parameters.get("metric", ""),
        text=parameters.get("q", "")[:LONGEST_TEXT].strip(),
        pool=parameters.get("pool", ""),
        plan=parameters.get("plan", ""),
        sort=sort,
        descending=order == "desc" if order else sort not in ASCENDING,
        page=_number(parameters, "page", 1),
        size=_number(parameters, "size", PAGE, SIZES),
        **flags,
    )


def _number(parameters: QueryParams, name: str, usual: int, allowed: Sequence[int] = ()) -> int:
    text = parameters.get(name, str(usual))
    if not text.isdecimal() or len(text) > 9 or int(text) < 1 or (allowed and int(text) not in allowed):
        raise _wrong(name, f"is a number{' of ' + ', '.join(map(str, allowed)) if allowed else ' from 1'}")
    return int(text)


def _wrong(name: str, said: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}: {said}", parameter=name)


def _encoded(query: FleetQuery) -> str:
    pairs = [("standing", each) for each in query.standings]
    pairs += [("metric", query.metric), ("q", query.text), ("pool", query.pool), ("plan", query.plan)]
    pairs += [(name, "1" if getattr(query, field) else "") for name, field in FLAGS.items()]
    if query.sort != "worst" or query.descending:
        pairs += [("sort", query.sort), ("order", "desc" if query.descending else "asc")]
    pairs += [
        ("size", str(query.size) if query.size != PAGE else ""),
        ("page", str(query.page) if query.page > 1 else ""),
    ]
    return urlencode([pair for pair in pairs if pair[1]])


@router.get("/")
async def get_fleet(request: Request, visited: Watching, console: Console) -> Response:
    """The page."""
    query = asked_of(request.query_params)
    visited.on_record("")
    state = await console.fleet.look(query, FIRST_S)
    view = view_of(console, state, query, visited.now_ms)
    return page(request, "fleet.html", view)


def view_of(console: ConsoleService, state: FleetState, query: FleetQuery, now_ms: int) -> FleetView:
    """The view with its rows drawn."""
    return fleet_view(state, query, console.drawn.of(state.table.page(query).rows, now_ms))


@router.get("/fleet/live")
async def get_live(
    request: Request, visited: Watching, service: Services, console: Console, version: int = 0
) -> Response:
    """What is new on a page since a version, as server-sent events."""
    query = asked_of(request.query_params)
    visited.on_record("")
    stream = _news(request, service, console, query, version)
    headers = {**HEADERS, "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


async def _news(
    request: Request, service: Service, console: ConsoleService, query: FleetQuery, version: int
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + LIVE_S
    # Of another process, or from before it was started again: then all is new.
    seen = version if version <= console.fleet.state.version else 0
    order = _order(console.fleet.state, query) if seen == console.fleet.state.version else ()
    yield b"retry: 3000\n\n"
    with console.fleet.looking(query):
        state = console.fleet.state
        while loop.time() < until_s:
            if state.version != seen and state.read_ms:
                event, order = news(console.drawn, state, query, seen, order, service.clock())
                seen = state.version
                yield event
            found = await console.fleet.newer(seen, BEAT_S)
            if await request.is_disconnected():
                return
            try:
                await visit(request, service, console)
            except SignInNeededError:
                yield b"event: signed-out\ndata: {}\n\n"
                return
            if found is None:
                yield b": beat\n\n"
            state = console.fleet.state


def _order(state: FleetState, query: FleetQuery) -> tuple[str, ...]:
    return tuple(row_id(row.key) for row in state.table.page(query).rows)


def news(
    drawn: DrawnRows,
    state: FleetState,
    query: FleetQuery,
    seen: int,
    before: tuple[str, ...],
    now_ms: int,
) -> tuple[bytes, tuple[str, ...]]:
    """What is new of a page since a version was seen, as an event, and the order of its rows now; `before` is the one
    that was sent last."""
    found = state.table.page(query)
    rows = found.rows
    order = tuple(row_id(row.key) for row in rows)
    known = set(before)
    fresh = [
        row
        for row, name in zip(rows, order, strict=True)
        if state.changed.get(row.key, 0) > seen or name not in known or not seen
    ]
    texts = drawn.of(fresh, now_ms)
    data = {
        "version": state.version,
        "read": state.read_ms,
        "failing": state.failing,
        "order": order,
        "rows": {row_id(row.key): str(texts[row.key]) for row in fresh},
        "counts": dict(state.table.by_standing),
        "notes": str(notes_of(state)),
        "total": found.total,
    }
    return b"data: " + msgspec.json.encode(data) + b"\n\n", order
