"""Mailbox providers: what becomes of the fleet's mail there, now and as usual, and whether it is us or them."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Request, Response

from api.console.forms import one_of
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import Shared, SharedPages
from api.console.visits import Reading
from api.explain.providers import (
    HitCustomer,
    HostAnswer,
    HourSpan,
    UsualDays,
    fleet_by_provider,
    hit_most,
    typical_answers,
    usual_by_provider,
)
from api.explain.us_or_them import KINDS, NAMES, NOT_KNOWN, Told
from api.http.problems import ApiError
from schemas.incident import EVERYWHERE, Incident
from schemas.times import DAY_S
from streams.incidents.stored import read_incidents
from streams.io.store import Store

router = console_router()
#: Full hours that are looked at, before the one that runs.
HOURS = ("1", "6", "24")
PATH = "/console/providers"


@dataclass(frozen=True, slots=True)
class ProvidersView:
    """Each provider with what it says, and the incidents that go on; `hours` are those before the one that runs."""

    hours: str
    span: HourSpan
    providers: tuple[Told, ...]
    incidents: tuple[Incident, ...]

    kinds = KINDS
    names = NAMES
    choices = HOURS
    not_known = NOT_KNOWN

    @property
    def standing_out(self) -> tuple[Told, ...]:
        """Those where something is other than usual."""
        return tuple(each for each in self.providers if each.whose != "usual")

    @property
    def is_known(self) -> bool:
        """Whether it is known of any what is usual there."""
        return any(each.at.is_known for each in self.providers)

    def of(self, provider: str) -> tuple[Incident, ...]:
        """The incidents at a provider."""
        return tuple(each for each in self.incidents if _provider_of(each) in (provider, EVERYWHERE))


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One provider, with who is hit most and what its hosts answer."""

    hours: str
    span: HourSpan
    told: Told
    customers: tuple[HitCustomer, ...]
    answers: tuple[HostAnswer, ...]
    incidents: tuple[Incident, ...]

    kinds = KINDS
    names = NAMES
    choices = HOURS


def providers_view(hours: str, span: HourSpan, told: Sequence[Told], incidents: Sequence[Incident]) -> ProvidersView:
    """The view, with the incidents of the span at a provider, of a pool, or of all mail, the latest first. Pure."""
    found = [
        each
        for each in incidents
        if each.dimension in ("provider", "all", "pool") and each.state != "dismissed" and each.until_s > span.since_s
    ]
    found.sort(key=lambda each: (each.from_s, each.id), reverse=True)
    return ProvidersView(hours, span, tuple(told), tuple(found))


def _provider_of(incident: Incident) -> str:
    return incident.value.rpartition("@")[2] if incident.dimension == "pool" else incident.value


def read_providers(store: Store, shared: Shared, hours: str, now_ms: int) -> ProvidersView:
    """All providers. What is usual is read once an hour.

    Raises:
        StoreError: the store failed.
    """
    span = HourSpan.last(int(hours), now_ms)
    usual: UsualDays = shared.of_hour.get(
        (PATH, span.since_s, hours), now_ms, lambda: usual_by_provider(store, span)
    ).value
    return providers_view(
        hours, span, fleet_by_provider(store, span, usual), read_incidents(store, span.since_s - DAY_S).in_force()
    )


@router.get("/providers")
def get_providers(request: Request, visit: Reading, shared: SharedPages) -> Response:
    """All of them."""
    visit.on_record("")
    hours = one_of(request.query_params, "hours", HOURS)

    def read() -> ProvidersView:
        with visit.service.stores.lend() as store:
            return read_providers(store, shared, hours, visit.now_ms)

    return page(request, "providers.html", shared.of_minute.get((PATH, hours), visit.now_ms, read))


@router.get("/providers/{name}")
def get_provider(
    request: Request, name: Annotated[str, Path(max_length=100)], visit: Reading, shared: SharedPages
) -> Response:
    """One of them."""
    visit.on_record("")
    hours = one_of(request.query_params, "hours", HOURS)

    def read_all() -> ProvidersView:
        with visit.service.stores.lend() as store:
            return read_providers(store, shared, hours, visit.now_ms)

    def read() -> ProviderView:
        view: ProvidersView = shared.of_minute.get((PATH, hours), visit.now_ms, read_all).value
        told = next((each for each in view.providers if each.at.provider == name), None)
        if told is None:
            raise ApiError(HTTPStatus.NOT_FOUND, f"no mail went to {name!r} in this time, nor in the two weeks before")
        with visit.service.stores.lend() as store:
            customers, answers = hit_most(store, name, view.span), typical_answers(store, name, view.span)
        return ProviderView(hours, view.span, told, tuple(customers), tuple(answers), view.of(name))

    return page(request, "provider.html", shared.of_minute.get((PATH, name, hours), visit.now_ms, read))
