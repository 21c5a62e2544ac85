"""Alerts: a page of them, or one with its history and evidence."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.http.models.standing import Evidence
from api.http.problems import ApiError
from api.http.responses import REFUSALS
from api.http.tags import CUSTOMER, NOT_FOUND
from api.routes import cursors
from api.routes.asking import Asked
from api.routes.formats import TABLES, answer
from api.routes.models.alerts import Alert, AlertId, Alerts, AlertsQuery, AlertStep, AlertSummary
from schemas.alert import AlertData, AlertEvent
from schemas.levels import LEVELS
from schemas.policy_metric import LONGEST_MS
from schemas.times import utc_time
from schemas.wording import decided_by
from streams.alerts.sent import Episode, EpisodeFilter, episodes, transitions
from streams.io.store import Store
from streams.judge.verdict import RANK

router = APIRouter(prefix="/v1", responses=REFUSALS, tags=[CUSTOMER])


@router.get(
    "/alerts",
    summary="Alerts, page by page",
    operation_id="listAlerts",
    response_model=Alerts,
    response_description="The alerts, those that began last first.",
    responses=TABLES,
)
def get_alerts(wanted: Annotated[AlertsQuery, Query()], asked: Asked, request: Request) -> Response:
    """Every alert on your mail of the last 400 days, as it stands now, those that began last first.

    An operator's key may leave the customer out: then it sees all.
    """
    customer = asked.about_any(wanted.customer)
    since, until = asked.times(wanted.start, wanted.end, LONGEST_MS, LONGEST_MS)
    same = cursors.question("alerts", customer=customer, **cursors.filters_of(wanted.model_dump(exclude={"customer"})))
    before = cursors.after(same, wanted.cursor, tuple[int, str], (until + 1, ""))
    levels = tuple(LEVELS[LEVELS.index(wanted.level) :]) if wanted.level else ()
    chosen = EpisodeFilter(
        customer=customer,
        everybody=not customer,
        levels=levels,
        state=wanted.state,
        rule=wanted.rule or "",
        scope=wanted.scope or "",
        since_ms=since,
        before=before,
        limit=wanted.limit + 1,
    )
    with asked.service.stores.lend() as store:
        found = episodes(store, chosen)
    rows = found[: wanted.limit]
    following = cursors.cursor(same, (rows[-1].opened_ms, rows[-1].first)) if len(found) > wanted.limit else None
    return answer(request, Alerts(alerts=[AlertSummary(**_summary(each)) for each in rows], next=following), "alerts")


@router.get(
    "/alerts/{alert_id}",
    summary="One alert with its history",
    operation_id="getAlert",
    response_description="The alert.",
    responses=NOT_FOUND,
)
def get_alert(alert_id: Annotated[AlertId, Path()], asked: Asked, response: Response) -> Alert:
    """One alert: every change with its numbers, and the evidence of the last one."""
    response.headers["Cache-Control"] = "no-store"
    with asked.service.stores.lend() as store:
        found = find(store, asked, alert_id)
        steps = transitions(store, found.event.data)
    asked.on_record(found.event.data.customer)
    data = found.event.data
    return Alert(
        **_summary(found),
        lower=data.lower,
        upper=data.upper,
        confidence=data.confidence,
        policy_version=data.policy_version,
        evidence=Evidence.model_validate(msgspec.to_builtins(data.evidence)),
        history=[_step(each, shows_people=asked.owner.is_operator) for each in steps],
    )


def find(store: Store, asked: Asked, alert_id: str) -> Episode:
    """The alert, if the key may see it.

    Raises:
        ApiError: 404, there is none, or it is another customer's.
        StoreError: the store failed.
    """
    owner = asked.owner
    chosen = EpisodeFilter(customer=owner.customer, everybody=owner.is_operator, alert_id=alert_id, limit=1)
    found = episodes(store, chosen)
    if not found:
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no alert {alert_id}")
    return found[0]


def _summary(found: Episode) -> dict[str, Any]:
    data = found.event.data
    return {
        **{name: getattr(data, name) for name in AlertSummary.model_fields if hasattr(data, name)},
        "worst_level": max(found.levels, key=RANK.__getitem__),
        "is_open": data.kind != "resolved",
        "opened": utc_time(found.opened_ms),
        "changed": utc_time(found.changed_ms),
        "held_since": utc_time(data.held.since_ms) if data.held else None,
    }


def _step(event: AlertEvent, *, shows_people: bool) -> AlertStep:
    data: AlertData = event.data
    shown = {name: getattr(data, name) for name in AlertStep.model_fields if hasattr(data, name)}
    return AlertStep(
        **shown, time=datetime.fromisoformat(event.time), by=(decided_by(data) or None) if shows_people else None
    )
