"""What each function of the clients asks, as plain data: once for both of them. Their signatures are those of these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, NamedTuple

from api.client.wire import Call, Row, Time, call, decision, under
from api.http.models.listings import Listings
from api.http.models.parameters import Breakdown, Metric, WindowName
from api.http.models.rates import Series
from api.http.models.standing import Standing
from api.http.ranges import StepName
from api.routes.models.alerts import Alert, Alerts, AlertSummary
from api.routes.models.allowances import Allowances
from api.routes.models.decisions import Decided, Override
from api.routes.models.explain import AlertExplained
from api.routes.models.fleet import Customers, RankedCustomer
from api.routes.models.outcomes import Complaint, Complaints, Failure, Failures


class Pages(NamedTuple, Generic[Row]):
    """A list that comes in pages: the request for the first, where rows stand in it, and their type."""

    first: Call[Any]
    rows: str
    row: type[Row]


def standing(customer: str | None = None) -> Call[Standing]:
    """Where a customer stands."""
    return call(Standing, "/v1/standing", customer=customer)


def allowances(customer: str | None = None) -> Call[Allowances]:
    """What is left of each rule until its next level."""
    return call(Allowances, "/v1/allowances", customer=customer)


def rates(
    *metric: Metric,
    window: WindowName = "24h",
    scope: str = "customer",
    by: Breakdown | None = None,
    step: StepName = "auto",
    start: Time = None,
    end: Time = None,
    customer: str | None = None,
) -> Call[Series]:
    """Rates over time, broken down if asked for."""
    asked: Mapping[str, Any] = {"window": window, "scope": scope, "by": by, "step": step, "customer": customer}
    return call(Series, "/v1/rates", metric=list(metric), start=start, end=end, **asked)


def listings(customer: str | None = None, *, ended_days: int = 0) -> Call[Listings]:
    """What is on blocklists."""
    return call(Listings, "/v1/listings", customer=customer, ended_days=ended_days)


def alert(alert_id: str) -> Call[Alert]:
    """One alert with its history."""
    return call(Alert, under("/v1/alerts", alert_id))


def explain(alert_id: str) -> Call[AlertExplained]:
    """Why an alert stands as it does."""
    return call(AlertExplained, under("/v1/explain", alert_id))


def alerts(
    customer: str | None = None, *, state: str = "all", level: str | None = None, start: Time = None, end: Time = None
) -> Pages[AlertSummary]:
    """Every alert, those that began last first."""
    asked = call(Alerts, "/v1/alerts", customer=customer, state=state, level=level, start=start, end=end)
    return Pages(asked, "alerts", AlertSummary)


def failures(
    customer: str | None = None, *, kind: str = "hard", start: Time = None, end: Time = None
) -> Pages[Failure]:
    """Every failure, the latest first."""
    asked = call(Failures, "/v1/failures", customer=customer, kind=kind, start=start, end=end)
    return Pages(asked, "failures", Failure)


def complaints(customer: str | None = None, *, start: Time = None, end: Time = None) -> Pages[Complaint]:
    """Every complaint, the latest first."""
    return Pages(call(Complaints, "/v1/complaints", customer=customer, start=start, end=end), "complaints", Complaint)


def customers(*standing: str, plan: str | None = None, name: str | None = None) -> Pages[RankedCustomer]:
    """Customers, the worst first. For operators."""
    asked = call(Customers, "/v1/customers", standing=list(standing) or None, plan=plan, name=name)
    return Pages(asked, "customers", RankedCustomer)


def acknowledge(alert_id: str, why: str) -> Call[Decided]:
    """Acknowledge an alert. For operators, as all that follows."""
    return decision(Decided, under("/v1/alerts", alert_id, "/acknowledge"), why=why)


def suspend(customer: str, why: str) -> Call[Decided]:
    """Put on record that a customer is suspended."""
    return decision(Decided, "/v1/suspensions", customer=customer, why=why)


def reinstate(customer: str, why: str, *, fresh_start: bool = False) -> Call[Decided]:
    """Lift a suspension."""
    return decision(Decided, "/v1/suspensions/lift", customer=customer, why=why, fresh_start=fresh_start)


def release(hold_id: str, why: str, *, customer: str = "") -> Call[Decided]:
    """Resolve alerts that are held."""
    return decision(Decided, under("/v1/holds", hold_id, "/release"), why=why, customer=customer)


def override(
    customer: str, rule: str, level: str, until: datetime | str, why: str, *, stream: str = ""
) -> Call[Override]:
    """Let a rule give a customer no level worse than one, until a time."""
    asked: Mapping[str, Any] = {"customer": customer, "rule": rule, "level": level, "until": until, "why": why}
    return decision(Override, "/v1/overrides", **asked, stream=stream)
