"""Alerts as CloudEvents 1.0 in JSON (topic `reputation.alerts`).

Attributes follow the CloudEvents 1.0 specification, section "Context Attributes"; `subject` is the customer,
or `pool:NAME`: then `customer` is empty, since small customers of a pool are meant together.
"""

from typing import Literal

import msgspec

from schemas.levels import Level

#: What can happen to an episode; drawn and explained in docs/alerts.md.
TransitionKind = Literal[
    "opened",
    "reopened",
    "escalated",
    "de-escalated",
    "acknowledged",
    "overridden",
    "override-ended",
    "held",
    "confirmed",
    "resolved",
]
#: What made it happen, as far as what is stored can tell (streams/alerts/outcome.py, docs/alerts.md).
Cause = Literal[
    "events",
    "late_events",
    "time",
    "policy",
    "override",
    "operator",
    "incident",
    "fresh-start",
    "brake",
    "witnesses",
]
#: Why an alert is held: more customers newly reached `excessive` than the policy's brake allows, or an incident is
#: suspected that struck this customer.
HoldReason = Literal["brake", "incident"]

ALERT_SOURCE = "/repmon/monitor"
#: The schema of `data`, in schemas/json/reputation.alerts.schema.json, whose `$id` this begins with.
ALERT_DATA = "urn:repmon:reputation.alerts#/$defs/AlertData"
ALERT_TYPE = "org.repmon.alert.{kind}.v1"


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One contributor: how many of the numerator it brought, and how much mail it had.

    `sample` is an answer of a receiving host that is typical of it, in which addresses are masked.
    """

    name: str
    count: int
    volume: int = 0
    sample: str = ""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The same rate over the `days` days before the window: the customer's own measure of what is usual."""

    days: int
    numerator: int
    denominator: int


#: Why mail or outcomes of a window are not judged.
UnjudgedReason = Literal["incident", "fresh-start", "unknown-time"]


class Unjudged(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out of the window's numerator (`count`) and denominator (`volume`): mail to one `provider` in the
    hours of an `incident` (its id), mail from before a fresh start, or outcomes that came in the window and are most
    likely of mail that was sent before it; of these the mail is not known, and `volume` is 0.

    Of a pool or From domain it is all mail in the hours of an incident, and no `provider`. Of rules about listings it
    is so many listings (`count`) on a list (`zone`) that named many at once, an incident."""

    reason: UnjudgedReason
    count: int
    volume: int = 0
    provider: str = ""
    incident: str = ""
    zone: str = ""


class ReportedRate(msgspec.Struct, frozen=True, kw_only=True):
    """The spam rate (a ratio) that Gmail reported of a domain on a day of its own (`YYYY-MM-DD`)."""

    day: str
    domain: str
    rate: float


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """Why an alert is not held, or is no longer: so many other `customers` of good history sent to these `providers` in
    the minutes in which this one's recipients were unknown there, and of their `volume` recipients `count` were."""

    providers: tuple[str, ...]
    customers: int
    count: int
    volume: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a verdict, largest contributors first.

    `began` is when the mail that is complained of began (RFC 3339, UTC), as far as the window reaches: the minute or
    hour from which on the rate lies above the threshold by the most mail. `baseline` is null for what is no rate of
    counts, or where there was no mail before. `fleet_times` is of an hour of unusual volume: how many times its usual
    the whole fleet sends, by which what is usual for the customer is scaled. `observable` is of complaints: of which
    part of the window's deliveries they could come (a ratio). `left_out` is what no rule judges of the window.
    `reported` are the worst days of the metric `reported_spam`, the one that is judged first. `uncounted` are topics
    that may bring mail of the customer, and of which what came before was not counted when it was judged. `witnesses`
    are those who tell that it is the customer, where the alert would be held else.
    """

    providers: tuple[Share, ...] = ()
    ips: tuple[Share, ...] = ()
    bounce_classes: tuple[Share, ...] = ()
    listings: tuple[str, ...] = ()
    sample_message_ids: tuple[str, ...] = ()
    from_domains: tuple[Share, ...] = ()
    campaigns: tuple[Share, ...] = ()
    began: str | None = None
    baseline: Baseline | None = None
    customers: tuple[Share, ...] = ()
    fleet_times: float | None = None
    observable: float | None = None
    left_out: tuple[Unjudged, ...] = ()
    reported: tuple[ReportedRate, ...] = ()
    uncounted: tuple[str, ...] = ()
    witnesses: Witnesses | None = None


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Who acknowledged an alert, when (epoch ms, UTC) and why."""

    by: str
    why: str
    time_ms: int


class OperatorOverride(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's override of the alert's rule that is in force: its id, who, why, and its end (epoch ms, UTC)."""

    id: str
    by: str
    why: str
    until_ms: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody is to act on the alert until an operator has decided: the hold's id, its reason, since when it lasts
    (epoch ms, UTC), and how many customers it is about."""

    id: str
    reason: HoldReason
    since_ms: int
    customers: int


class AlertData(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. Rates, bounds and threshold are ratios (0.003 is 0.3 %), `lower` and `upper` the bounds of
    the rate's confidence interval. `alert_id` is the episode: all transitions of one episode share it. `cause` is
    null in what was recorded before causes were. `decided` is who confirmed or released what was held.
    """

    alert_id: str
    customer: str
    scope: str
    rule: str
    metric: str
    kind: TransitionKind
    level: Level
    previous_level: Level
    episode: int
    transition: int
    window: str
    numerator: int
    denominator: int
    rate: float
    lower: float
    upper: float
    confidence: float
    threshold: float
    policy_version: str
    explanation: str
    evidence: Evidence = Evidence()
    cause: Cause | None = None
    acknowledged: Acknowledgement | None = None
    override: OperatorOverride | None = None
    held: Held | None = None
    decided: Acknowledgement | None = None


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The CloudEvent. `id` is derived from (customer, scope, rule, episode, transition, level) and, where the level
    does not tell it, the kind: a repeat has the same id, and a consumer drops it. `time` is RFC 3339, UTC.
    """

    id: str
    type: str
    subject: str
    time: str
    data: AlertData
    specversion: Literal["1.0"] = "1.0"
    source: str = ALERT_SOURCE
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = ALERT_DATA
