"""Incidents: what hit many customers together, who is affected, declaring one and dismissing one; and holds at a
glance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Request, Response

from api.console.forms import deciding, field_value, optional_utc_ms, reason, text, utc_ms, whole
from api.console.going_on import goes_on
from api.console.happened import Happened, after_act, happened
from api.console.kept import Known
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import SharedPages
from api.console.visits import Acting, Reading, Visit
from api.explain.struck import StruckMail, StruckPart, StruckTotals, hours_of, is_of_mail, place_of, struck
from api.http.problems import ApiError
from jobs.operator.holds import HoldShown, shown_holds
from jobs.operator.incidents import MOST_DAYS, declare_incident, dimension_of, dismiss_incident, find_incident
from schemas.incident import Incident
from schemas.providers import OTHER, load_providers
from schemas.times import DAY_MS, HOUR_MS, HOUR_S
from streams.decisions.holds import held_alerts
from streams.incidents.stored import read_incidents
from streams.io.store import Store

router = console_router()
PATH = "/console/incidents"
#: Incidents and customers of one page; days that are shown if nobody says how many, and at most.
SHOWN, CUSTOMERS, DAYS, LONGEST_DAYS = 25, 50, 30, 400
#: What recipients met, in words.
OUTCOMES = {
    "hard": "recipients do not exist",
    "block": "mail is refused",
    "expired": "mail expires",
    "complained": "recipients complain",
    "declared": "declared by an operator",
    "listed": "many are listed at once",
}


@dataclass(frozen=True, slots=True)
class IncidentsView:
    """What goes on, what was (of a page), and the holds that wait or were."""

    going_on: tuple[Incident, ...]
    over: tuple[Incident, ...]
    total: int
    first: int
    days: int
    holds: tuple[HoldShown, ...]
    waiting: int
    done: Happened | None = None

    @property
    def last(self) -> int:
        """The number of the last one shown."""
        return self.first + len(self.over) - 1 if self.over else 0

    @property
    def before(self) -> str:
        """The page before; empty on the first."""
        return self._url(self.first - 1 - SHOWN) if self.first > 1 else ""

    @property
    def after(self) -> str:
        """The page after; empty on the last."""
        return self._url(self.last) if self.last < self.total else ""

    def _url(self, skip: int) -> str:
        return f"{PATH}?{urlencode({'days': self.days, 'skip': max(0, skip)})}"


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident, with the customers of a page who sent there in its hours. `totals` is None where it cannot be
    counted whom it concerns; `held` are customers who are held because of it."""

    incident: Incident
    what: str
    totals: StruckTotals | None
    customers: tuple[StruckMail, ...]
    skip: int
    held: tuple[str, ...]
    done: Happened | None = None

    @property
    def before(self) -> str:
        """The page before; empty on the first."""
        return f"{PATH}/{self.incident.id}?skip={max(0, self.skip - CUSTOMERS)}" if self.skip else ""

    @property
    def after(self) -> str:
        """The page after; empty on the last."""
        last = self.skip + len(self.customers)
        return f"{PATH}/{self.incident.id}?skip={last}" if self.totals and last < self.totals.customers else ""


@dataclass(frozen=True, slots=True)
class DeclareView:
    """The form of an incident; once it is filled in, whom it would concern. `hours` is how long it would last, from
    `from_ms` until `until_ms` (epoch ms)."""

    places: tuple[str, ...]
    place: str
    begin: str
    until: str
    fault: str = ""
    hours: int = 0
    from_ms: int = 0
    until_ms: int = 0
    totals: StruckTotals | None = None
    first: tuple[StruckMail, ...] = ()
    is_list: bool = False


def incidents_view(
    found: Sequence[Incident],
    holds: Sequence[HoldShown],
    now_ms: int,
    days: int,
    skip: int,
    done: Happened | None = None,
) -> IncidentsView:
    """What goes on and what was, the latest first; and the holds, those that wait first. Pure."""
    ordered = sorted(found, key=lambda each: (each.from_s, each.id), reverse=True)
    going_on = [each for each in ordered if goes_on(each, now_ms)]
    over = [each for each in ordered if not goes_on(each, now_ms)]
    shown = over[skip : skip + SHOWN]
    return IncidentsView(
        going_on=tuple(going_on),
        over=tuple(shown),
        total=len(over),
        first=skip + 1 if shown else 0,
        days=days,
        holds=tuple(sorted(holds, key=lambda each: (not each.held, -each.hold.began_ms))),
        waiting=len({held.customer for each in holds for held in each.held}),
        done=done,
    )


def incident_view(store: Store, name: str, skip: int, done: Happened | None = None) -> IncidentView:
    """One incident.

    Raises:
        NoSuchError: there is none of this id.
        StoreError: the store failed.
    """
    found = find_incident(store, name)
    hit: StruckPart | None = None
    if is_of_mail(found):
        hit = struck(store, place_of(found), found.outcome, list(found.hours), CUSTOMERS, skip)
    held = sorted({each.customer for each in held_alerts(store) if each.hold == found.id})
    return IncidentView(
        incident=found,
        what=OUTCOMES.get(found.outcome, found.outcome),
        totals=hit.totals if hit else None,
        customers=hit.customers if hit else (),
        skip=skip,
        held=tuple(held),
        done=done,
    )


@router.get("/incidents")
def get_incidents(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """Incidents and holds."""
    visit.on_record("")
    query = request.query_params
    days, skip = whole(query, "days", DAYS, 1, LONGEST_DAYS), whole(query, "skip", 0)

    def read() -> IncidentsView:
        with visit.service.stores.lend() as store:
            since_ms = visit.now_ms - days * DAY_MS
            found = read_incidents(store, since_ms // 1000).in_force()
            return incidents_view(found, shown_holds(store, since_ms), visit.now_ms, days, skip, happened(store, query))

    return page(request, "incidents.html", shared.of_moment.get((PATH, request.url.query), visit.now_ms, read))


@router.get("/incidents/declare")
def get_declaration(request: Request, visit: Acting) -> Response:
    """The form, and whom what is filled in would concern. Nothing is changed."""
    visit.on_record("")
    return page(request, "incident_declare.html", Known(declare_view(visit, request), visit.now_ms))


def declare_view(visit: Visit, request: Request) -> DeclareView:
    """The form as it is filled in.

    Raises:
        StoreError: the store failed.
    """
    query = request.query_params
    places = (*sorted({each.name for each in load_providers().all}), OTHER)
    hour = visit.now_ms // HOUR_MS * HOUR_MS
    place, fault = text(query, "place"), ""
    begin, until = hour - HOUR_MS, hour + HOUR_MS
    try:
        begin = optional_utc_ms(query, "from", "From") or begin
        until = optional_utc_ms(query, "until", "Until") or until
    except ApiError as error:
        fault = error.detail
    view = DeclareView(places, place, field_value(begin), field_value(until), fault)
    if not place or fault:
        return view
    if until <= begin:
        return replace(view, fault="Until is not after From")
    if until - begin > MOST_DAYS * DAY_MS:
        return replace(view, fault=f"Until: an incident lasts at most {MOST_DAYS} days; declare several")
    hours = hours_of(begin, until)
    view = replace(view, hours=len(hours), from_ms=hours[0] * 1000, until_ms=(hours[-1] + HOUR_S) * 1000)
    with visit.service.stores.lend() as store:
        try:
            with deciding():
                dimension = dimension_of(store, place, places, [each.zone for each in visit.service.zones])
        except ApiError as error:
            return replace(view, fault=f"{error.detail}{_meant(place)}")
        if dimension == "listing":
            return replace(view, is_list=True)
        first, totals = struck(store, place, "declared", hours, 10)
    return replace(view, totals=totals, first=first)


def _meant(place: str) -> str:
    """Which provider is meant by one of its domains."""
    provider = load_providers().of(place.casefold())
    return "" if provider == OTHER else f". Its provider is called {provider}"


@router.post("/incidents/declare")
def post_declaration(visit: Acting, shared: SharedPages) -> Response:
    """Declare it."""
    begin, until = utc_ms(visit.form, "from", "From"), utc_ms(visit.form, "until", "Until")
    with deciding(), visit.service.stores.lend() as store:
        found = declare_incident(
            store,
            visit.form.get("place", ""),
            begin,
            until,
            providers={OTHER, *(each.name for each in load_providers().all)},
            zones=[each.zone for each in visit.service.zones],
            by=visit.who,
            why=reason(visit.form),
            now_ms=visit.now_ms,
        )
    shared.of_moment.forget()
    return after_act(f"{PATH}/{found.id}", visit.now_ms, found.id)


Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]


@router.get("/incidents/{name}")
def get_incident(request: Request, name: Id, visit: Reading, shared: SharedPages) -> Response:
    """One incident."""
    visit.on_record("")
    skip = whole(request.query_params, "skip", 0)

    def read() -> IncidentView:
        with deciding(), visit.service.stores.lend() as store:
            return incident_view(store, name, skip, happened(store, request.query_params))

    key = PATH, name, request.url.query
    return page(request, "incident.html", shared.of_moment.get(key, visit.now_ms, read))


@router.post("/incidents/{name}/dismiss")
def post_dismissal(name: Id, visit: Acting, shared: SharedPages) -> Response:
    """Dismiss it."""
    with deciding(), visit.service.stores.lend() as store:
        found = dismiss_incident(store, name, by=visit.who, why=reason(visit.form), now_ms=visit.now_ms)
    shared.of_moment.forget()
    return after_act(f"{PATH}/{found.id}", visit.now_ms, found.id)
