"""Alerts in answers: as they stand, and what became of them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.http.models.standing import Evidence
from api.routes.models.pages import Page, PageQuery, Since, Until
from schemas.alert import Cause, TransitionKind
from schemas.levels import Level

AlertId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", description="The alert's id: 32 hexadecimal digits.")]


class AlertsQuery(PageQuery):
    """Which alerts."""

    state: Annotated[
        Literal["all", "open", "resolved"], Field(description="Only those that are open, or that are over.")
    ] = "all"
    level: Annotated[
        Level | None, Field(description="Only those that stand at this level or a worse one, or did when they ended.")
    ] = None
    rule: Annotated[str | None, Field(max_length=64, description="Only those of this rule of the policy.")] = None
    scope: Annotated[
        str | None, Field(max_length=300, description="Only those of this scope: `customer`, `stream:NAME`, ...")
    ] = None
    start: Since = None
    end: Until = None


class AlertSummary(BaseModel):
    """An alert as it stood at its last change: one line of a list."""

    alert_id: str = Field(description="Its id, the same from its beginning to its end.")
    customer: str = Field(description="Whom it is about; empty where it is about small customers together.")
    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")
    rule: str = Field(description="The rule of the policy.")
    metric: str = Field(description="What the rule judges.")
    level: Level = Field(description="The level at its last change; `good` once it is resolved.")
    worst_level: Level = Field(description="The worst level that it had.")
    is_open: bool = Field(description="Whether it is not resolved yet.")
    opened: datetime = Field(description="When it began.")
    changed: datetime = Field(description="When it changed last.")
    window: str = Field(description="The sliding window that decided.")
    numerator: int = Field(description="What counts against the customer in this window, in recipients or listings.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float = Field(description="The rate, a ratio.")
    threshold: float = Field(description="The threshold that it reached or left, a ratio.")
    explanation: str = Field(description="What happened, in a sentence.")
    held_since: datetime | None = Field(
        description="Since when an operator is to look at it first, as many customers rose at once or an incident is "
        "suspected; else null."
    )


class Alerts(Page):
    """Alerts, those that began last first."""

    alerts: list[AlertSummary] = Field(description="One for each alert, as it stands now.")


class AlertStep(BaseModel):
    """One change of an alert, with the numbers that it was made with."""

    time: datetime = Field(description="When it changed.")
    kind: TransitionKind = Field(description="What happened: it opened, rose, fell, was resolved, and so on.")
    cause: Cause | None = Field(description="Why; null of changes that were recorded before causes were.")
    previous_level: Level = Field(description="The level before.")
    level: Level = Field(description="The level since.")
    window: str = Field(description="The sliding window that decided.")
    numerator: int = Field(description="What counted against the customer in this window.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float = Field(description="The rate, a ratio.")
    threshold: float = Field(description="The threshold that was reached or left, a ratio.")
    policy_version: str = Field(description="The policy that it was judged by.")
    explanation: str = Field(description="What happened, in a sentence.")
    by: str | None = Field(description="Who decided it, where a person did; shown to operators only.")


class Alert(AlertSummary):
    """One alert with all of its changes, and what stands behind the last one."""

    lower: float = Field(description="Lower bound of the rate's confidence interval, a ratio.")
    upper: float = Field(description="Upper bound of the rate's confidence interval, a ratio.")
    confidence: float = Field(description="How sure the bounds are, a ratio.")
    policy_version: str = Field(description="The policy that it was judged by last.")
    evidence: Evidence = Field(description="Who contributed most, and what was usual before.")
    history: list[AlertStep] = Field(description="Every change, the first one first.")
