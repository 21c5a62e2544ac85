"""Listings and their likely causes in answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from schemas.listing import ResourceKind, Weight


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
    incident: str | None = Field(
        description="The incident (its id) that it is part of, since many began together: then it is held against "
        "nobody. Null where it counts."
    )
    causes: Causes | None


class Listings(BaseModel):
    """Listings, latest first: those of what the customer sent through or, where an operator names none, all."""

    customer: str | None
    time: datetime
    listings: list[Listing]
