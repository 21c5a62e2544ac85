"""The fleet in answers: customers by how badly they stand, and small ones together."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.models.standing import StandingLevel
from api.routes.models.pages import USUAL, CursorText, Limit, Page
from schemas.levels import Level


class FleetQuery(BaseModel):
    """A page about the fleet. A parameter that does not exist is refused, so that a typing error shows."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = USUAL
    cursor: CursorText = None


class CustomersQuery(FleetQuery):
    """Which customers."""

    standing: Annotated[
        list[StandingLevel],
        Field(max_length=10, description="Only those that stand so. Several may be given: `standing=a&standing=b`."),
    ] = []
    plan: Annotated[str | None, Field(max_length=64, description="Only those of this plan.")] = None
    name: Annotated[str | None, Field(max_length=256, description="Only those with this text in their name.")] = None
    parts: Annotated[
        bool,
        Field(description="Also include streams and other parts of the mail that are not well, as rows of their own."),
    ] = False


class RankedRate(BaseModel):
    """A rate of the last 24 hours."""

    rate: float = Field(description="A ratio.")
    numerator: int | None = Field(description="What counts against the customer; null where that is not known.")
    denominator: int | None = Field(description="Of how many recipients; null where that is not known.")
    enough: bool = Field(description="Whether that is enough to be judged by.")


class RankedCustomer(BaseModel):
    """A customer, or a part of its mail, as it stands now."""

    customer: str = Field(description="The customer.")
    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")
    standing: StandingLevel = Field(description="Where it stands.")
    since: datetime = Field(description="Since when.")
    rule: str = Field(description="The rule that it is owed to; empty where none is.")
    overridden: bool = Field(description="Whether an override of a rule holds for it.")
    held: bool = Field(description="Whether nobody is to act on an alert of it yet.")
    volume: int = Field(description="Finished recipients of the last 24 hours.")
    score: int | None = Field(description="The score from 0 to 100, 100 is best; null with too little mail.")
    complaint: RankedRate = Field(description="Complaints of deliveries.")
    failure: RankedRate = Field(description="Failures of finished recipients.")
    block: RankedRate = Field(description="Refusals of finished recipients.")
    exposure: RankedRate = Field(description="Mail through listed addresses of mail sent.")


class Customers(Page):
    """Customers, the worst first."""

    customers: list[RankedCustomer] = Field(
        description="By level, then by how far the worst rate lies above usual ones."
    )


class PoolsQuery(FleetQuery):
    """What small customers share."""

    kind: Annotated[Literal["pool", "from", "plan"], Field(description="An IP pool, a From domain, or a plan.")] = (
        "pool"
    )


class PoolRule(BaseModel):
    """What a rule says of small customers together."""

    rule: str = Field(description="The rule of the policy.")
    level: Level = Field(description="The level that it reaches.")
    window: str = Field(description="The sliding window that decides.")
    numerator: int = Field(description="What counts against them in this window.")
    denominator: int = Field(description="Of how many recipients.")
    rate: float = Field(description="The rate, a ratio.")
    insufficient_volume: bool = Field(description="Whether there is too little mail to judge by.")


class Pool(BaseModel):
    """Customers too small to be judged, together with those who share something."""

    scope: str = Field(description="What they share: `pool:NAME`, `from:DOMAIN` or `plan:NAME`.")
    standing: str = Field(description="The worst level of any rule, `insufficient_volume` with too little mail.")
    rules: list[PoolRule] = Field(description="Rule by rule.")


class Pools(Page):
    """What small customers share, by name."""

    pools: list[Pool] = Field(description="Those with mail.")
