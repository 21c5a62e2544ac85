"""The parameters of requests."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.ranges import StepName

Metric = Literal["complaint", "failure", "block", "exposure"]
WindowName = Literal["1h", "24h", "7d", "15d", "30d"]

CustomerName = Annotated[
    str | None,
    Field(
        max_length=256,
        description="The customer asked about: an operator's key must say, a customer's key needs not.",
    ),
]

Scope = Annotated[
    str,
    Field(
        pattern=r"^(customer$|stream:|sub_account:|class:(bulk|transactional)$)",
        max_length=300,
        description="`customer` for all mail, `stream:NAME` for one stream, `sub_account:NAME` for the streams whose "
        "names begin with `NAME/`, `class:bulk` or `class:transactional`.",
    ),
]

#: What a rate may be broken down by.
Breakdown = Literal["provider", "ip", "stream", "class", "sub_account", "from_domain", "campaign", "bounce_class"]

ScoredScope = Annotated[
    str,
    Field(
        pattern=r"^(customer$|stream:|sub_account:|class:(bulk|transactional)$)",
        max_length=300,
        description="`customer` for all mail, `stream:NAME` for one stream, `sub_account:NAME`, `class:bulk` or "
        "`class:transactional` where the policy judges these.",
    ),
]


class CommonQuery(BaseModel):
    """Parameters of every request. A parameter that does not exist is refused, so that a typing error shows."""

    model_config = ConfigDict(extra="forbid")

    customer: CustomerName = None


class RatesQuery(CommonQuery):
    """Which rates, of what, when."""

    metric: Annotated[
        list[Metric],
        Field(min_length=1, max_length=4, description="The rate. Several may be asked for: `metric=a&metric=b`."),
    ]
    window: Annotated[WindowName, Field(description="Length of the sliding window.")] = "24h"
    scope: Scope = "customer"
    by: Annotated[
        Breakdown | None,
        Field(
            description="Break the rate down: one series for each of the values with most of it. By `ip` and "
            "`from_domain` complaints are divided by all deliveries; of a `campaign` or `bounce_class` only what "
            "counts against it is known, and it is divided by all of the scope's mail."
        ),
    ] = None
    top: Annotated[int, Field(ge=1, le=50, description="So many values at most, those with most mail.")] = 10
    step: Annotated[
        StepName,
        Field(
            description="How long a bucket is. `auto`: minutes up to 6 hours, hours up to 31 days, else days. Days, "
            "weeks (from Monday) and months begin in UTC."
        ),
    ] = "auto"
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


class CohortsQuery(CommonQuery):
    """How far back."""

    days: Annotated[int, Field(ge=1, le=45, examples=[2], description="How many days, until today.")] = 30


class ListingsQuery(CommonQuery):
    """How far back."""

    ended_days: Annotated[
        int, Field(ge=0, le=400, description="Also include those that ended in so many days; 0: only those in force.")
    ] = 0


class ScoresQuery(CommonQuery):
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
