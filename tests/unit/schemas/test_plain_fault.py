"""What is wrong with a value is said in words of who wrote the file."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from schemas.plain_fault import field_first, in_plain_words


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """What a file may hold."""

    number: float | None = None
    port: Annotated[int, Meta(le=65_535)] = 1
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    pause_s: Annotated[float, Meta(ge=0.01)] = 1.0
    names: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=3)]], Meta(min_length=1, max_length=2)] | None
    ) = None
    volume: int | dict[str, int] = 0
    yes: bool = False
    until: Annotated[datetime, Meta(tz=True)] | None = None
    window: Annotated[str, Meta(pattern="^[1-9][hd]$")] = "1h"
    inner: "list[Inner]" = []


class Inner(msgspec.Struct):
    """A table within it."""

    name: str


SAID: dict[str, tuple[dict[str, Any], str]] = {
    "text in place of a number": ({"number": "much"}, "number: must be a number, not text"),
    "too large": ({"port": 65_536}, "port: must be at most 65,535"),
    "not above": ({"share": 0}, "share: must be more than 0"),
    "not below": ({"share": 1.0}, "share: must be less than 1"),
    "too small": ({"pause_s": 0.001}, "pause_s: must be at least 0.01"),
    "no entry": ({"names": []}, "names: must have at least 1 entry"),
    "too many entries": ({"names": ["a", "b", "c"]}, "names: must have at most 2 entries"),
    "empty text": ({"names": [""]}, "names[0]: must have at least 1 character"),
    "too long": ({"names": ["long"]}, "names[0]: must have at most 3 characters"),
    "one of two kinds": ({"volume": "9"}, "volume: must be a whole number or a table of names and values, not text"),
    "no truth": ({"yes": 1}, "yes: must be true or false, not a whole number"),
    "time of nowhere": (
        {"until": "2026-01-31T12:00:00"},
        "until: must be a time with its time zone, as 2026-01-31T12:00:00Z",
    ),
    "no window": ({"window": "week"}, "window: must be text that matches '^[1-9][hd]$'"),
    "nothing where something must be": ({"inner": [{}]}, "inner[0]: `name` is missing"),
    "no list": ({"inner": 1}, "inner: must be a list, not a whole number"),
}


@pytest.mark.parametrize(("given", "said"), SAID.values(), ids=SAID)
def test_fault_of_a_value_is_said_in_plain_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(given, Table)
    assert field_first(str(caught.value)) == said


def test_what_is_not_known_stays_as_it_is() -> None:
    assert in_plain_words("Object contains unknown field `nmae`") == "Object contains unknown field `nmae`"
    assert field_first("the file is too large") == "the file is too large"
