"""Where a customer stands: standings, open alerts, allowances and scores in answers."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.models.rates import Rates
from schemas.levels import Level
from schemas.standing import Standing as JudgedStanding

StandingLevel = JudgedStanding | Literal["suspended", "reinstated", "inactive"]


class Contributor(BaseModel):
    """How many of the numerator one provider, address or bounce class brought, and how much mail it had.

    `sample` is a typical answer of a receiving host, in which addresses are masked.
    """

    name: str
    count: int
    volume: int
    sample: str


class Baseline(BaseModel):
    """The same rate over the days before the window: what was usual."""

    days: int
    numerator: int
    denominator: int


class ReportedRate(BaseModel):
    """The spam rate (a ratio) that Gmail reported of a domain on a day of its own."""

    day: date
    domain: str
    rate: float


class Evidence(BaseModel):
    """What stands behind an alert, largest contributors first.

    `began` is the minute or hour of the window from which on the rate lies above the threshold by the most mail.
    """

    providers: list[Contributor]
    ips: list[Contributor]
    bounce_classes: list[Contributor]
    listings: list[str]
    sample_message_ids: list[str]
    from_domains: list[Contributor]
    campaigns: list[Contributor]
    began: datetime | None
    baseline: Baseline | None
    fleet_times: float | None = Field(
        default=None,
        description="Of an hour of unusual volume: how many times its usual the whole fleet sends.",
    )
    observable: float | None = Field(
        default=None,
        description="Of complaints: the part of the window's deliveries of which any could come, from 0 to 1.",
    )
    reported: list[ReportedRate] = Field(
        default=[], description="Of the metric `reported_spam`: the worst days, the one that is judged first."
    )


class OpenAlert(BaseModel):
    """An alert that is not resolved, as it stood at its last change (`changed`)."""

    alert_id: str
    rule: str
    metric: str
    level: Level
    opened: datetime
    changed: datetime
    window: str
    numerator: int
    denominator: int
    rate: float
    lower: float = Field(description="Lower bound of the rate's confidence interval.")
    upper: float = Field(description="Upper bound of the rate's confidence interval.")
    confidence: float
    threshold: float
    policy_version: str
    explanation: str
    evidence: Evidence
    held_since: datetime | None = Field(
        description="Since when an operator is to look at it first, as many customers rose at once; else null."
    )


class Scores(BaseModel):
    """Scores from 0 to 100, 100 is best; null where there is too little mail for one. `overall` is the worst.

    `complaints`, `failures`, `blocks` and `blacklisting` (mail sent through listed addresses, and listings).
    """

    overall: int | None
    complaints: int | None
    failures: int | None
    blocks: int | None
    blacklisting: int | None


class Headroom(BaseModel):
    """How many more of what a rule counts (`remaining`) would open `level`, in `window`, at the present volume.

    One less would not. 0: the level opens with the next judgement.
    """

    rule: str
    metric: str
    remaining: int
    level: Level
    window: str


class Unobservable(BaseModel):
    """A rule whose rate is seen at too little of the mail: of `observable` recipients out of `mail`, in the `window`
    that has most mail. Its level is good, and means nothing."""

    rule: str
    metric: str
    window: str
    observable: int
    mail: int


class ObservableShares(BaseModel):
    """Of which part of the mail each rate would be known, from 0 to 1; null without mail.

    Complaints at providers with a feedback loop alone, exposure of mail with a known sending address.
    """

    complaint: float | None
    failure: float | None
    block: float | None
    exposure: float | None


class ScopeStanding(BaseModel):
    """Where one scope stands: `customer` is all mail, `stream:NAME` one stream; `sub_account:NAME`, `class:bulk` and
    `class:transactional` are there where the policy judges them by themselves.

    `standing`, `judged`, `since` and `policy_version` are null until the scope was judged for the first time, and where
    the policy does not judge it any more.
    """

    scope: str
    standing: StandingLevel | None = Field(
        description="The worst level of any rule; `insufficient_volume` where there is too little mail to judge any "
        "rate; `suspended` where the operator suspended the customer, and `reinstated` for 30 days after that was "
        "lifted, in the place of `good` or `insufficient_volume`; else `inactive` in their place where there is no "
        "mail."
    )
    judged: JudgedStanding | None = Field(
        description="The standing by the rules alone: what `standing` is without a suspension."
    )
    fresh_start: datetime | None = Field(
        description="Since when mail counts, where the operator gave the customer a fresh start: that from before is "
        "in no window any more. Null without one, or once all windows lie behind it."
    )
    since: datetime | None
    inactive_since: datetime | None = Field(
        description="The last mail, where there was none since for the policy's `inactive_after` and for longer than "
        "the sender's own rhythm explains; else null."
    )
    reasons: list[str]
    unobservable: list[Unobservable] = Field(
        description="The rules by which nobody can be called good, since too little of the mail could be seen."
    )
    policy_version: str | None
    scores: Scores
    rates: Rates = Field(description="The last 24 hours.")
    observable: ObservableShares = Field(description="The last 24 hours.")
    uncounted_complaints: int = Field(
        description="Complaints of the last 24 hours from providers without a feedback loop (forwarded mail): "
        "they enter no rate."
    )
    open_alerts: list[OpenAlert]
    allowances: list[Headroom] = Field(
        description="What is left of each rule until its next level; none where no level is left, or too little mail."
    )


class ProviderReport(BaseModel):
    """What a mailbox provider reported of a domain or an address of the customer, of one day of the provider's."""

    source: Literal["postmaster", "snds"]
    resource: str
    day: date
    measure: str
    about: str = Field(description="The identifier of a feedback loop, or a requirement of Google's.")
    rate: float | None = Field(description="A ratio from 0 to 1.")
    below: bool = Field(description="Only that the rate is lower than `rate` is known.")
    number: int | None
    said: str


class Standing(BaseModel):
    """Where a customer stands, all of its mail first, then each class and stream by name."""

    customer: str
    time: datetime
    scopes: list[ScopeStanding]
    reported: list[ProviderReport] = Field(
        description="What mailbox providers reported of the last 14 days (`repmon poll`); it is in no rate. A day that "
        "is not there is unknown."
    )


class DayScores(Scores):
    """The scores and the standing as they were last said on a day (UTC)."""

    day: date
    standing: JudgedStanding


class ScoreHistory(BaseModel):
    """Scores day by day, oldest first; a day on which nothing was judged is left out."""

    model_config = ConfigDict(populate_by_name=True)

    customer: str
    scope: str
    start: date = Field(alias="from")
    end: date = Field(alias="to")
    days: list[DayScores]
