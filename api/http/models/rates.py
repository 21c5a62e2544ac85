"""Rates and cohorts in answers."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from api.http.models.parameters import Metric, WindowName


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
