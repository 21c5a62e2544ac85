"""What the HTTP interface answers. Rates are ratios (0.003 is 0.3 %), times are RFC 3339 in UTC.

These are pydantic models, not Structs, because FastAPI writes the OpenAPI document from them.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.alert import Level
from schemas.listing import ResourceKind, Weight
from schemas.standing import Standing as JudgedStanding

StandingLevel = JudgedStanding | Literal["suspended"]
Metric = Literal["complaint", "failure", "block", "exposure"]
WindowName = Literal["1h", "24h", "7d", "15d", "30d"]

Customer = Annotated[
    str | None,
    Field(
        max_length=256,
        description="The customer asked about: an operator's key must say, a customer's key needs not.",
    ),
]


Scope = Annotated[
    str,
    Field(
        pattern=r"^(customer$|stream:)",
        max_length=300,
        description="`customer` for all mail, `stream:NAME` for one stream.",
    ),
]


ScoredScope = Annotated[
    str,
    Field(
        pattern=r"^(customer$|stream:|sub_account:|class:(bulk|transactional)$)",
        max_length=300,
        description="`customer` for all mail, `stream:NAME` for one stream, `sub_account:NAME`, `class:bulk` or "
        "`class:transactional` where the policy judges these.",
    ),
]


class Query(BaseModel):
    """Parameters of every request. A parameter that does not exist is refused, so that a typing error shows."""

    model_config = ConfigDict(extra="forbid")

    customer: Customer = None


class RatesQuery(Query):
    """Which rates, of what, when."""

    metric: Annotated[Metric, Field(description="The rate.")]
    window: Annotated[WindowName, Field(description="Length of the sliding window.")] = "24h"
    scope: Scope = "customer"
    start: Annotated[
        str | None,
        Field(
            alias="from",
            max_length=40,
            examples=["2026-03-12T12:00:00Z"],
            description="Begin, RFC 3339 with an offset or epoch milliseconds; default: one window before `to`.",
        ),
    ] = None
    end: Annotated[
        str | None,
        Field(
            alias="to",
            max_length=40,
            examples=["2026-03-12T12:02:00Z"],
            description="End, RFC 3339 with an offset or epoch milliseconds; default and latest: now.",
        ),
    ] = None


class CohortsQuery(Query):
    """How far back."""

    days: Annotated[int, Field(ge=1, le=45, examples=[2], description="How many days, until today.")] = 30


class ListingsQuery(Query):
    """How far back."""

    ended_days: Annotated[
        int, Field(ge=0, le=400, description="Also include those that ended in so many days; 0: only those in force.")
    ] = 0


class ScoresQuery(Query):
    """Which scores, when."""

    scope: ScoredScope = "customer"
    start: Annotated[
        str | None,
        Field(
            alias="from",
            max_length=40,
            examples=["2026-03-11T00:00:00Z"],
            description="A time on the first day (UTC), RFC 3339 with an offset or epoch milliseconds; "
            "default: 30 days until `to`.",
        ),
    ] = None
    end: Annotated[
        str | None,
        Field(alias="to", max_length=40, description="The last day, in the same way; default and latest: today."),
    ] = None


class Rate(BaseModel):
    """A rate with what it was made from, in recipients.

    It is null where the denominator is 0, and can pass 1 over a short time: complaints and late bounces
    arrive after the deliveries they belong to.
    """

    numerator: int
    denominator: int
    rate: float | None

    @classmethod
    def of(cls, numerator: int, denominator: int) -> "Rate":
        """The rate of two counts."""
        return cls(
            numerator=numerator,
            denominator=denominator,
            rate=numerator / denominator if denominator > 0 else None,
        )


class Rates(BaseModel):
    """The rates over the last 24 hours.

    - `complaint`: complaints / delivered, on both sides only of mailbox providers that send complaints back.
    - `failure`: hard bounces, and expired where the policy says so / finished recipients (delivered, bounced or
      expired, each once).
    - `block`: refused for policy, spam or reputation / finished recipients.
    - `exposure`: sent through an address while it was on a blocklist / sent.
    """

    complaint: Rate
    failure: Rate
    block: Rate
    exposure: Rate


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


class ScopeStanding(BaseModel):
    """Where one scope stands: `customer` is all mail, `stream:NAME` one stream; `sub_account:NAME`, `class:bulk` and
    `class:transactional` are there where the policy judges them by themselves.

    `standing`, `judged`, `since` and `policy_version` are null until the scope was judged for the first time, and where
    the policy does not judge it any more.
    """

    scope: str
    standing: StandingLevel | None = Field(
        description="The worst level of any rule; `insufficient_volume` where there is too little mail to judge any "
        "rate; `suspended` where the operator suspended the customer."
    )
    judged: JudgedStanding | None = Field(description="The same as judged: what `standing` is without a suspension.")
    since: datetime | None
    reasons: list[str]
    policy_version: str | None
    scores: Scores
    rates: Rates = Field(description="The last 24 hours.")
    uncounted_complaints: int = Field(
        description="Complaints of the last 24 hours from providers without a feedback loop (forwarded mail): "
        "they enter no rate."
    )
    open_alerts: list[OpenAlert]
    allowances: list[Headroom] = Field(
        description="What is left of each rule until its next level; none where no level is left, or too little mail."
    )


class Standing(BaseModel):
    """Where a customer stands, all of its mail first, then each class and stream by name."""

    customer: str
    time: datetime
    scopes: list[ScopeStanding]


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


class Point(BaseModel):
    """One bucket: its own counts, and the sliding window that ends with it.

    `end` is where the bucket ends, or where the running one has got to.
    """

    time: datetime
    end: datetime
    numerator: int
    denominator: int
    rate: float | None
    window: Rate


class Series(BaseModel):
    """A rate over time. `start` and `end` are rounded out to whole buckets of `step_s` seconds."""

    model_config = ConfigDict(populate_by_name=True)

    customer: str
    scope: str
    metric: Metric
    window: WindowName
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    step_s: int
    points: list[Point]


class Cohort(Rate):
    """The mail of one day (UTC): complaints about it, whenever they came, / delivered."""

    day: date


class Cohorts(BaseModel):
    """Complaint rates by the day of sending, oldest first, of mailbox providers that send complaints back.

    Complaints come up to weeks later, so the last days are not complete. `undated` complaints came in this time, but
    nobody can say on which day their message was sent: they are in no day.
    """

    customer: str
    days: list[Cohort]
    undated: int


class Cause(BaseModel):
    """One customer as the cause of a listing, by what it sent in the 48 hours before, and how that fared.

    `excess` is how much more bad news it had than its share of the mail explains, in complaints; `share` is its part
    of everybody's excess (0 to 1).
    """

    customer: str
    volume: int
    complaints: int
    invalid: int
    blocked: int
    excess: float
    share: float


class Causes(BaseModel):
    """Whom a listing is attributed to, likeliest first; `customers` is how many there are, in all.

    `dedicated`: one customer's. `shared`: several used the address or domain; this is the evidence, and no verdict.
    `unused`: nobody is known to have.
    """

    attributed: Literal["dedicated", "shared", "unused"]
    pool: str | None
    customers: int
    ranking: list[Cause]


class Listing(BaseModel):
    """One address or domain on one list.

    `sent_before` is the customer's own mail through it in the 48 hours before, `exposed` that while it was listed. Null
    where no customer is asked about. `causes` are shown to operators only.
    """

    resource: str
    kind: ResourceKind
    zone: str
    weight: Weight
    since: datetime
    until: datetime | None = Field(description="When it ended; null while it is in force.")
    confirmed: bool = Field(description="Whether a second look said the same.")
    sent_before: int | None
    exposed: int | None
    causes: Causes | None


class Listings(BaseModel):
    """Listings, latest first: those of what the customer sent through or, where an operator names none, all."""

    customer: str | None
    time: datetime
    listings: list[Listing]


class Health(BaseModel):
    """The store answers."""

    status: Literal["ok"]


class ParameterProblem(BaseModel):
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ParameterProblem] | None = None
