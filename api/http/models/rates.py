"""Rates and cohorts in answers."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from api.http.models.parameters import Breakdown, Metric, WindowName


class Rate(BaseModel):
    """A rate with what it was made from, in recipients.

    It is null where the denominator is 0, and can pass 1 over a short time: complaints and late bounces
    arrive after the deliveries they belong to.
    """

    numerator: int = Field(description="What counts, in recipients.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float | None = Field(description="The one by the other, a ratio; null where the denominator is 0.")

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

    complaint: Rate = Field(description="Complaints of deliveries, both of providers that send complaints back.")
    failure: Rate = Field(
        description="Hard bounces, and expired mail where the policy says so, of finished recipients."
    )
    block: Rate = Field(description="Refusals for policy, spam or reputation, of finished recipients.")
    exposure: Rate = Field(description="Mail sent through a listed address, of mail sent.")


class Point(BaseModel):
    """One bucket: its own counts, and the sliding window that ends with it.

    `end` is where the bucket ends, or where the running one has got to.
    """

    time: datetime = Field(description="When the bucket begins.")
    end: datetime = Field(description="When it ends, or where the running one has got to.")
    numerator: int = Field(description="What counts in the bucket, in recipients.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float | None = Field(description="The one by the other, a ratio; null where the denominator is 0.")
    window: Rate = Field(description="The sliding window that ends with the bucket.")


class NamedSeries(BaseModel):
    """One rate over time: of the whole scope or, broken down, of one value."""

    metric: Metric = Field(description="The rate.")
    value: str | None = Field(description="The provider, address, stream and so on; null of the whole scope.")
    points: list[Point] = Field(description="Bucket by bucket, the first one first.")


class Series(BaseModel):
    """Rates over time. `from` and `to` are rounded out to whole buckets."""

    model_config = ConfigDict(populate_by_name=True)

    customer: str = Field(description="Whose mail.")
    scope: str = Field(description="Which part of it.")
    by: Breakdown | None = Field(description="What it is broken down by.")
    window: WindowName = Field(description="Length of the sliding window.")
    start: datetime = Field(alias="from", description="Begin of the first bucket.")
    end: datetime = Field(alias="to", description="End of the last bucket, which may lie ahead.")
    step: str = Field(description="How long a bucket is: `minute`, `hour`, `day`, `week` or `month`.")
    step_s: int | None = Field(description="The same in seconds; null of months.")
    series: list[NamedSeries] = Field(description="By metric, as asked for, and then by how much mail a value has.")


class SeriesRow(Point):
    """One point as a row."""

    metric: Metric = Field(description="The rate.")
    value: str | None = Field(description="The provider, address, stream and so on; null of the whole scope.")


class Cohort(Rate):
    """The mail of one day (UTC): complaints about it, whenever they came, / delivered."""

    day: date = Field(description="The day of sending (UTC).")


class Cohorts(BaseModel):
    """Complaint rates by the day of sending, oldest first, of mailbox providers that send complaints back.

    Complaints come up to weeks later, so the last days are not complete. `undated` complaints came in this time, but
    nobody can say on which day their message was sent: they are in no day.
    """

    customer: str = Field(description="Whose mail.")
    days: list[Cohort] = Field(description="The days, oldest first.")
    undated: int = Field(description="Complaints that nobody can assign to a day.")
