"""What is left of each rule."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.http.models.standing import Headroom


class ScopeHeadroom(Headroom):
    """What is left of a rule in one scope."""

    scope: str = Field(description="`customer` for all mail, `stream:NAME` for one stream, and so on.")


class Allowances(BaseModel):
    """What is left of each rule until its next level."""

    customer: str = Field(description="Whose.")
    time: datetime = Field(description="The moment that it is of.")
    allowances: list[ScopeHeadroom] = Field(
        description="All mail first, then each stream; none where no level is left, or too little mail."
    )
