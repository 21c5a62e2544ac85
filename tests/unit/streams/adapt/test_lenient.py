"""Records whose fields are of other types than documented."""

from typing import Any

import msgspec
import pytest

from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from streams.adapt.lenient import convert

CONTEXT = Context(
    b"a key", load_providers(), {name: FormatOptions(default_customer="house") for name in ("ses", "brevo")}
)


class Inner(msgspec.Struct):
    code: int | None = None


class Shape(msgspec.Struct):
    name: str
    text: str | None = None
    either: str | int | float | None = None
    inner: Inner = msgspec.field(default_factory=Inner)
    perhaps: Inner | None = None
    items: list[str] = []
    flag: bool = False
    anything: Any = None


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("text", 550, "550"),
        ("text", ["550 no", "such user"], "550 no such user"),
        ("text", {"a": 1}, None),
        ("text", True, None),
        ("either", 7, 7),
        ("either", ["7"], "7"),
        ("inner", [], Inner()),
        ("inner", None, Inner()),
        ("inner", "", Inner()),
        ("inner", {"code": "550"}, Inner(550)),
        ("inner", {"code": []}, Inner()),
        ("inner", [{"code": "550"}], Inner(550)),
        ("inner", [[{"code": 550}]], Inner(550)),
        ("perhaps", [], None),
        ("items", None, []),
        ("items", "a", ["a"]),
        ("items", ["a", None, 7], ["a", "7"]),
        ("flag", "true", True),
        ("flag", 0, False),
        ("flag", None, False),
        ("flag", "perhaps", False),
        ("anything", [None], [None]),
    ],
)
def test_field_of_another_type_is_made_to_fit_or_left_out(field: str, written: object, read: object) -> None:
    assert getattr(convert({"name": "x", field: written}, Shape), field) == read


@pytest.mark.parametrize("record", [{}, {"name": None}, {"name": {}}, {"name": []}, [], None, "x"])
def test_what_must_be_there_and_is_not_stays_an_error(record: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(record, Shape)


def test_error_says_what_is_wrong_with_the_record_as_it_came() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"Expected `str`, got `null` - at `\$.name`"):
        convert({"name": None}, Shape)


@pytest.mark.parametrize(
    ("format_name", "body", "domain"),
    [
        (
            "ses",
            b'{"eventType": "Delivery", "mail": {"timestamp": "2025-09-12T11:07:58Z", "messageId": "m", "source": null,'
            b' "destination": null, "tags": []}, "delivery": {"timestamp": null, "recipients": ["iris@yahoo.com"]}}',
            "yahoo.com",
        ),
        (
            "brevo",
            b'{"event": "delivered", "email": "iris@yahoo.com", "ts_epoch": 1757675281000, "reason": []}',
            "yahoo.com",
        ),
    ],
)
def test_fate_is_not_lost_with_a_field_that_says_nothing(format_name: str, body: bytes, domain: str) -> None:
    (event,) = adapter(format_name)(body, CONTEXT)
    assert (event.type, event.recipient_domain) == ("delivered", domain)
