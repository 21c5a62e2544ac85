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

    name: str = Field(description="The provider, address, domain, campaign or bounce class.")
    count: int = Field(description="So many of the numerator are its.")
    volume: int = Field(description="So much mail it had; 0 where that is not known.")
    sample: str = Field(description="A typical answer of a receiving host, in which addresses are masked; else empty.")


class Baseline(BaseModel):
    """The same rate over the days before the window: what was usual."""

    days: int = Field(description="Over how many days before the window.")
    numerator: int = Field(description="What counted against the customer then.")
    denominator: int = Field(description="Of how many recipients.")


class ReportedSpamRate(BaseModel):
    """The spam rate (a ratio) that Gmail reported of a domain on a day of its own."""

    day: date = Field(description="The day.")
    domain: str = Field(description="The domain.")
    rate: float = Field(description="The rate, a ratio.")


class Evidence(BaseModel):
    """What stands behind an alert, largest contributors first.

    `began` is the minute or hour of the window from which on the rate lies above the threshold by the most mail.
    """

    providers: list[Contributor] = Field(description="The mailbox providers with most of it.")
    ips: list[Contributor] = Field(description="The sending addresses with most of it.")
    bounce_classes: list[Contributor] = Field(description="Why messages failed, most frequent first.")
    listings: list[str] = Field(description="The blocklistings that matter, in words.")
    sample_message_ids: list[str] = Field(description="Some of the latest messages.")
    from_domains: list[Contributor] = Field(description="The From domains with most of it.")
    campaigns: list[Contributor] = Field(description="The campaigns with most of it.")
    began: datetime | None = Field(
        description="The minute or hour of the window from which on the rate lies above the threshold."
    )
    baseline: Baseline | None = Field(
        description="What was usual before; null where there was no mail, or it is no rate."
    )
    fleet_times: float | None = Field(
        default=None,
        description="Of an hour of unusual volume: how many times its usual the whole fleet sends.",
    )
    observable: float | None = Field(
        default=None,
        description="Of complaints: the part of the window's deliveries of which any could come, from 0 to 1.",
    )
    reported: list[ReportedSpamRate] = Field(
        default=[], description="Of the metric `reported_spam`: the worst days, the one that is judged first."
    )


class OpenAlert(BaseModel):
    """An alert that is not resolved, as it stood at its last change (`changed`)."""

    alert_id: str = Field(description="Its id, the same from its beginning to its end.")
    rule: str = Field(description="The rule of the policy.")
    metric: str = Field(description="What the rule judges.")
    level: Level = Field(description="The level at its last change.")
    opened: datetime = Field(description="When it began.")
    changed: datetime = Field(description="When it changed last.")
    window: str = Field(description="The sliding window that decided.")
    numerator: int = Field(description="What counts against the customer in this window.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float = Field(description="The rate, a ratio.")
    lower: float = Field(description="Lower bound of the rate's confidence interval.")
    upper: float = Field(description="Upper bound of the rate's confidence interval.")
    confidence: float = Field(description="How sure the bounds are, a ratio.")
    threshold: float = Field(description="The threshold that it reached or left, a ratio.")
    policy_version: str = Field(description="The policy that it was judged by.")
    explanation: str = Field(description="What happened, in a sentence.")
    evidence: Evidence = Field(description="Who contributed most, and what was usual before.")
    held_since: datetime | None = Field(
        description="Since when an operator is to look at it first, as many customers rose at once or an incident is "
        "suspected; else null."
    )


class Scores(BaseModel):
    """Scores from 0 to 100, 100 is best; null where there is too little mail for one. `overall` is the worst.

    `complaints`, `failures`, `blocks` and `blacklisting` (mail sent through listed addresses, and listings).
    """

    overall: int | None = Field(description="The worst of the others.")
    complaints: int | None = Field(description="Of complaints.")
    failures: int | None = Field(description="Of failures.")
    blocks: int | None = Field(description="Of refusals for policy, spam or reputation.")
    blacklisting: int | None = Field(description="Of mail through listed addresses, and of listings.")


class Headroom(BaseModel):
    """How many more of what a rule counts (`remaining`) would open `level`, in `window`, at the present volume.

    One less would not. 0: the level opens with the next judgement.
    """

    rule: str = Field(description="The rule of the policy.")
    metric: str = Field(description="What the rule judges.")
    remaining: int = Field(
        description="So many more would open the level; one less would not. 0: it opens with the next judgement."
    )
    level: Level = Field(description="The level that would open.")
    window: str = Field(description="The sliding window in which it would.")


class Unobservable(BaseModel):
    """A rule whose rate is seen at too little of the mail: of `observable` recipients out of `mail`, in the `window`
    that has most mail. Its level is good, and means nothing."""

    rule: str = Field(description="The rule of the policy.")
    metric: str = Field(description="What the rule judges.")
    window: str = Field(description="The window that has most mail.")
    observable: int = Field(description="Of so many recipients the rate is seen.")
    mail: int = Field(description="Of so many in all.")


class ObservableShares(BaseModel):
    """Of which part of the mail each rate would be known, from 0 to 1; null without mail.

    Complaints at providers with a feedback loop alone, exposure of mail with a known sending address.
    """

    complaint: float | None = Field(description="Of complaints: mail to providers with a feedback loop.")
    failure: float | None = Field(description="Of failures.")
    block: float | None = Field(description="Of refusals.")
    exposure: float | None = Field(description="Of exposure: mail whose sending address is known.")


class ScopeStanding(BaseModel):
    """Where one scope stands: `customer` is all mail, `stream:NAME` one stream; `sub_account:NAME`, `class:bulk` and
    `class:transactional` are there where the policy judges them by themselves.

    `standing`, `judged`, `since` and `policy_version` are null until the scope was judged for the first time, and where
    the policy does not judge it any more.
    """

    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")
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
    since: datetime | None = Field(description="Since when it stands so.")
    inactive_since: datetime | None = Field(
        description="The last mail, where there was none since for the policy's `inactive_after` and for longer than "
        "the sender's own rhythm explains; else null."
    )
    reasons: list[str] = Field(description="The rules that it is owed to.")
    unobservable: list[Unobservable] = Field(
        description="The rules by which nobody can be called good, since too little of the mail could be seen."
    )
    policy_version: str | None = Field(description="The policy that it was judged by.")
    scores: Scores = Field(description="From 0 to 100, 100 is best.")
    rates: Rates = Field(description="The last 24 hours.")
    observable: ObservableShares = Field(description="The last 24 hours.")
    uncounted_complaints: int = Field(
        description="Complaints of the last 24 hours from providers without a feedback loop (forwarded mail): "
        "they enter no rate."
    )
    open_alerts: list[OpenAlert] = Field(description="What is open against it.")
    allowances: list[Headroom] = Field(
        description="What is left of each rule until its next level; none where no level is left, or too little mail."
    )


class ProviderReport(BaseModel):
    """What a mailbox provider reported of a domain or an address of the customer, of one day of the provider's."""

    source: Literal["postmaster", "snds"] = Field(
        description="Who reported it: Gmail Postmaster Tools, or Microsoft SNDS."
    )
    resource: str = Field(description="The domain or address.")
    day: date = Field(description="The day that it is of.")
    measure: str = Field(description="What was reported.")
    about: str = Field(description="The identifier of a feedback loop, or a requirement of Google's.")
    rate: float | None = Field(description="A ratio from 0 to 1.")
    below: bool = Field(description="Only that the rate is lower than `rate` is known.")
    number: int | None = Field(description="A number, where it is one.")
    said: str = Field(description="A word, where it is one.")


class Standing(BaseModel):
    """Where a customer stands, all of its mail first, then each class and stream by name."""

    customer: str = Field(description="Whose.")
    time: datetime = Field(description="The moment that it is of.")
    scopes: list[ScopeStanding] = Field(description="All mail first, then each part of it.")
    reported: list[ProviderReport] = Field(
        description="What mailbox providers reported of the last 14 days (`repmon poll`); it is in no rate. A day that "
        "is not there is unknown."
    )


class DayScores(Scores):
    """The scores and the standing as they were last said on a day (UTC)."""

    day: date = Field(description="The day (UTC).")
    standing: JudgedStanding = Field(description="The standing as it was last said on that day.")


class ScoreHistory(BaseModel):
    """Scores day by day, oldest first; a day on which nothing was judged is left out."""

    model_config = ConfigDict(populate_by_name=True)

    customer: str = Field(description="Whose.")
    scope: str = Field(description="Of which part of the mail.")
    start: date = Field(alias="from", description="The first day.")
    end: date = Field(alias="to", description="The last day.")
    days: list[DayScores] = Field(description="The days on which something was judged, oldest first.")
