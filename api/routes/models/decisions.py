"""What operators decide: bodies of requests, and what was decided."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.routes.models.pages import Page, PageQuery

Why = Annotated[
    str,
    Field(min_length=1, max_length=256, pattern=r"\S", description="Why, for those who ask later; it is on record."),
]
Customer = Annotated[str, Field(min_length=1, max_length=256, description="The customer.")]
Moment = Annotated[
    str,
    Field(
        max_length=40, examples=["2026-03-26T12:00:00Z"], description="RFC 3339 with an offset, or epoch milliseconds."
    ),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$", description="The id, or a unique prefix of it."),
]


class Body(BaseModel):
    """A body. A field that does not exist is refused, so that a typing error shows, and so is a value of another type:
    `false` is no number of seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Reason(Body):
    """Why it is decided."""

    why: Why


class SuspensionBody(Reason):
    """Whom to suspend, and why."""

    customer: Customer


class LiftBody(SuspensionBody):
    """Whose suspension to lift, and why."""

    fresh_start: Annotated[
        bool, Field(description="Let what the customer sent before accuse it no more: its windows begin again now.")
    ] = False


class OverrideBody(SuspensionBody):
    """Which rule gives a customer no level worse than which, until when."""

    rule: Annotated[str, Field(min_length=1, max_length=64, description="The rule of the policy.")]
    level: Annotated[
        Literal["none", "watch", "warning", "excessive"],
        Field(description="The worst level it may give; `none`: it judges nothing."),
    ]
    until: Moment
    stream: Annotated[str, Field(max_length=256, description="Only for this stream; empty for all mail.")] = ""


class HoldBody(Reason):
    """Why, and for whom."""

    customer: Annotated[str, Field(max_length=256, description="Only of this customer; empty for all in the hold.")] = (
        ""
    )


class IncidentBody(Reason):
    """Where and when something hits many."""

    place: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            examples=["yahoo"],
            description="A mailbox provider, `*` for all, a blocklist, or a network on one: `192.0.2.0/24@LIST`.",
        ),
    ]
    start: Annotated[Moment, Field(alias="from")]
    until: Moment


class Decided(BaseModel):
    """What is on record now."""

    action: str = Field(description="What was decided, as the audit names it.")
    id: str = Field(description="The id of what it is about: an alert, override, hold or incident; else the customer.")
    customers: list[str] = Field(description="Whom it concerns.")
    by: str = Field(description="The key that decided it, by label and id.")
    why: str = Field(description="Why.")
    time: datetime = Field(description="When.")


class Override(BaseModel):
    """An override that an operator decided."""

    id: str = Field(description="Its id.")
    customer: str = Field(description="The customer.")
    stream: str = Field(description="The stream that it is for; empty for all mail.")
    rule: str = Field(description="The rule of the policy.")
    at_most: str = Field(description="The worst level that the rule may give; `none`: it judges nothing.")
    since: datetime = Field(description="When it was decided.")
    until: datetime = Field(description="When it ends.")
    by: str = Field(description="Who decided it.")
    why: str = Field(description="Why.")


class Overrides(BaseModel):
    """Overrides in force, oldest first."""

    overrides: list[Override] = Field(description="Each with who and why.")


class HeldCustomer(BaseModel):
    """A customer of whom alerts are held."""

    customer: str = Field(description="The customer.")
    rules: list[str] = Field(description="The rules whose alerts are held.")
    level: str = Field(description="How bad the worst is: `excessive` or `critical`.")


class Hold(BaseModel):
    """Alerts that nobody acts on until an operator has looked, since many customers rose at
    once, or an incident may be the cause."""

    id: str = Field(description="Its id.")
    reason: str = Field(description="Why they are held.")
    began: datetime = Field(description="When the first was held.")
    until: datetime = Field(description="When somebody was held last.")
    customers: int = Field(description="How many customers rose.")
    limit: int = Field(description="More than so many within `minutes` are held; 0 where there is no limit.")
    minutes: float = Field(description="Within so many minutes.")
    held: list[HeldCustomer] = Field(description="Who is held still.")
    confirmed: int = Field(description="Of how many customers it was decided that they are right.")
    released: int = Field(description="Of how many that they are not.")


class Holds(BaseModel):
    """Holds, oldest first."""

    holds: list[Hold] = Field(description="Those of the last days, and all in which something is held still.")


class IncidentsQuery(PageQuery):
    """How far back."""

    days: Annotated[int, Field(ge=1, le=400, description="Those of so many days.")] = 30


class StruckCustomer(BaseModel):
    """A customer who was struck."""

    customer: str = Field(description="The customer.")
    failed: int = Field(description="How many of its recipients failed there; of listings, how many were listed.")
    total: int = Field(description="Of how many.")
    sample: str = Field(description="A typical answer, in which addresses are masked.")


class Incident(BaseModel):
    """What hit many customers together, so that it says nothing about any of them."""

    id: str = Field(description="Its id.")
    dimension: str = Field(description="What `value` is: a provider, everything, a pool or a blocklist.")
    value: str = Field(description="Where: a provider, a pool, `*`, or a list.")
    outcome: str = Field(description="What many recipients met there.")
    state: str = Field(description="`detected` and `declared` ones are left out of what customers are judged by.")
    start: datetime = Field(alias="from", description="When its first hour began.")
    until: datetime = Field(description="When its last hour ended.")
    open: bool = Field(description="Whether it lasts.")
    rate: float = Field(description="The rate of those who were struck, a ratio.")
    usual: float = Field(description="The same in the weeks before, of the fleet.")
    struck: int = Field(description="How many customers of good history were struck.")
    spared: int = Field(description="How many were not.")
    examples: list[StruckCustomer] = Field(description="Some who were struck.")
    by: str = Field(description="Who decided it; empty where nobody did.")
    why: str = Field(description="Why.")

    model_config = ConfigDict(populate_by_name=True)


class Incidents(Page):
    """Incidents, the latest first."""

    incidents: list[Incident] = Field(description="As they count now.")
