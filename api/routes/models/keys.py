"""Keys of the interface that are made, rotated and revoked: bodies of requests, and the key that is shown once."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from api.http.scopes import Scope
from api.routes.models.decisions import Moment, Reason

#: Exactly an id: a key itself does not belong in an address, which is logged.
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="The key's id.")]


class KeyBody(Reason):
    """Whose key to make, what it may do, and why."""

    customer: Annotated[str, Field(max_length=256, description="Whose it is; empty for an operator's.")] = ""
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=4, description="What it may do: no more than your own. A customer's can read."),
    ] = ["read"]  # noqa: RUF012 - pydantic copies it
    label: Annotated[str, Field(max_length=256, description="A note to distinguish keys.")] = ""
    expires: Annotated[Moment | None, Field(description="Until when it is good; left out for ever.")] = None


class RotateBody(Reason):
    """Why, and how long the old key stays good."""

    grace_s: Annotated[
        int, Field(ge=0, le=31_536_000, description="How long the old key stays good, in s; 0 where it became known.")
    ] = 86_400


class NewKey(BaseModel):
    """A key that was made. It is shown this once."""

    key: str = Field(description="The key. It is stored nowhere.")
    id: str = Field(description="Its id, by which it is rotated or revoked.")
    customer: str | None = Field(description="Whose it is; null for an operator's.")
    label: str = Field(description="What it is for.")
    scopes: list[Scope] = Field(description="What it may do.")
    expires: datetime | None = Field(description="Until when it is good; null for ever.")
    replaces: str | None = Field(description="The id of the key that it was made for; null where there is none.")
    old_until: datetime | None = Field(description="Until when that one is good.")
