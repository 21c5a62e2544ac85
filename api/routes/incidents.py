"""Incidents: what hit many customers together."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.http.responses import CONFLICT, REFUSALS
from api.http.tags import NOT_FOUND, OPERATOR
from api.routes import cursors
from api.routes.asking_operators import Acting, Reading, refusing
from api.routes.decisions import decided, moment
from api.routes.formats import TABLES, answer
from api.routes.models.decisions import (
    Decided,
    Incident,
    IncidentBody,
    Incidents,
    IncidentsQuery,
    Name,
    Reason,
    StruckCustomer,
)
from jobs.operator.incidents import DISMISSED, declare_incident, dismiss_incident, find_incident
from schemas.incident import Incident as FoundIncident
from schemas.providers import OTHER, load_providers
from schemas.times import DAY_S, utc_time
from streams.incidents.stored import read_incidents

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[OPERATOR])


@router.get(
    "/incidents",
    summary="What hit many customers together",
    operation_id="listIncidents",
    response_description="The incidents, the latest first.",
    response_model=Incidents,
    responses=TABLES,
)
def get_incidents(query: Annotated[IncidentsQuery, Query()], asked: Reading, request: Request) -> Response:
    """Incidents that were found or declared, as they count now."""
    asked.on_record("")
    same = cursors.question("incidents", days=query.days)
    before = cursors.after(same, query.cursor, tuple[int, str], (2**62, ""))
    with asked.service.stores.lend() as store:
        found = read_incidents(store, asked.now_ms // 1000 - query.days * DAY_S).in_force()
    rows = sorted(found, key=lambda each: (each.from_s, each.id), reverse=True)
    rows = [each for each in rows if (each.from_s, each.id) < before]
    page = rows[: query.limit]
    following = cursors.cursor(same, (page[-1].from_s, page[-1].id)) if len(rows) > len(page) else None
    return answer(request, Incidents(incidents=[_shown(each) for each in page], next=following), "incidents")


@router.get(
    "/incidents/{name}",
    summary="One incident",
    operation_id="getIncident",
    response_description="The incident.",
    responses=NOT_FOUND,
)
def get_incident(name: Annotated[Name, Path()], asked: Reading) -> Incident:
    """Where, when, who was struck and who was not."""
    asked.on_record("")
    with refusing(), asked.service.stores.lend() as store:
        return _shown(find_incident(store, name))


@router.post(
    "/incidents",
    summary="Declare an incident",
    operation_id="declareIncident",
    response_description="The incident.",
    status_code=201,
)
def post_incident(body: IncidentBody, asked: Acting) -> Incident:
    """From now on mail to a provider in these hours says nothing about those who sent it; of a blocklist, what began to
    be listed in them."""
    start, until = moment("from", body.start), moment("until", body.until)
    with refusing(), asked.service.stores.lend() as store:
        found = declare_incident(
            store,
            body.place,
            start,
            until,
            providers={OTHER, *(each.name for each in load_providers().all)},
            zones=[each.zone for each in asked.service.zones],
            by=asked.who,
            why=body.why,
            now_ms=asked.now_ms,
        )
    return _shown(found)


@router.post(
    "/incidents/{name}/dismiss",
    summary="Dismiss an incident",
    operation_id="dismissIncident",
    response_description="It is on record.",
    responses={**NOT_FOUND, **CONFLICT},
)
def post_dismissal(name: Annotated[Name, Path()], body: Reason, asked: Acting) -> Decided:
    """Its mail counts again, and what is held because of it is confirmed if it is still bad."""
    with refusing(), asked.service.stores.lend() as store:
        found = dismiss_incident(store, name, by=asked.who, why=body.why, now_ms=asked.now_ms)
    return decided(asked, DISMISSED, found.id, [], body.why)


def _shown(found: FoundIncident) -> Incident:
    plain = msgspec.structs.asdict(found)
    shown: dict[str, Any] = {name: plain[name] for name in Incident.model_fields if name in plain}
    shown["examples"] = [StruckCustomer(**msgspec.structs.asdict(each)) for each in found.examples]
    shown |= {"from": utc_time(found.from_s * 1000), "until": utc_time(found.until_s * 1000)}
    return Incident(**shown)
