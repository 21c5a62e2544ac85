"""Pages: how many rows, and where to go on."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.http.models.parameters import CommonQuery

#: Rows of one page, and as many if nobody says.
MOST, USUAL = 1_000, 100

Limit = Annotated[int, Field(ge=1, le=MOST, description="So many at most; `next` leads to those after them.")]
CursorText = Annotated[
    str | None,
    Field(max_length=2_000, description="`next` of the page before, for the same question; left out for the first."),
]
Since = Annotated[
    str | None,
    Field(
        alias="from",
        max_length=40,
        examples=["2026-03-12T00:00:00Z"],
        description="Begin, RFC 3339 with an offset or epoch milliseconds.",
    ),
]
Until = Annotated[
    str | None,
    Field(alias="to", max_length=40, description="End, in the same way; default and latest: now."),
]


class PageQuery(CommonQuery):
    """A page of a list."""

    limit: Limit = USUAL
    cursor: CursorText = None


class Page(BaseModel):
    """A part of a list. Rows that are added meanwhile do not shift what later pages have."""

    next: str | None = Field(description="The `cursor` of the next page; null where there is none.")
