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

    customer: str = Field(description="The customer.")
    volume: int = Field(description="Its mail through the address or domain in the 48 hours before.")
    complaints: int = Field(description="Complaints about it.")
    invalid: int = Field(description="Recipients that did not exist.")
    blocked: int = Field(description="Refusals for policy, spam or reputation.")
    excess: float = Field(
        description="How much more bad news it had than its share of the mail explains, in complaints."
    )
    share: float = Field(description="Its part of everybody's excess, from 0 to 1.")


class Causes(BaseModel):
    """Whom a listing is attributed to, likeliest first; `customers` is how many there are, in all.

    `dedicated`: one customer's. `shared`: several used the address or domain; this is the evidence, and no verdict.
    `unused`: nobody is known to have.
    """

    attributed: Literal["dedicated", "shared", "unused"] = Field(
        description="Whether one customer, several or nobody used it."
    )
    pool: str | None = Field(description="The IP pool that the address is in, if known.")
    customers: int = Field(description="How many customers used it.")
    ranking: list[Cause] = Field(description="The likeliest causes first.")


class Listing(BaseModel):
    """One address or domain on one list.

    `sent_before` is the customer's own mail through it in the 48 hours before, `exposed` that while it was listed. Null
    where no customer is asked about. `causes` are shown to operators only.
    """

    resource: str = Field(description="The address or domain.")
    kind: ResourceKind = Field(description="Which of the two it is.")
    zone: str = Field(description="The list.")
    weight: Weight = Field(description="What a listing there means for delivery.")
    since: datetime = Field(description="When it was first seen.")
    until: datetime | None = Field(description="When it ended; null while it is in force.")
    confirmed: bool = Field(description="Whether a second look said the same.")
    sent_before: int | None = Field(
        description="The customer's own mail through it in the 48 hours before; null where no customer is asked about."
    )
    exposed: int | None = Field(description="The same while it was listed.")
    incident: str | None = Field(
        description="The incident (its id) that it is part of, since many began together: then it is held against "
        "nobody. Null where it counts."
    )
    delisting: str | None = Field(
        default=None, description="The list's page on which to look the listing up and ask for its removal."
    )
    causes: Causes | None = Field(description="Whom it is attributed to; shown to operators only.")


class Listings(BaseModel):
    """Listings, latest first: those of what the customer sent through or, where an operator names none, all."""

    customer: str | None = Field(description="Whose; null of all.")
    time: datetime = Field(description="The moment that it is of.")
    listings: list[Listing] = Field(description="The latest first.")
