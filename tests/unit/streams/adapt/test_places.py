"""Where operators say that the customer is found, and what the webhook formats share."""

import json
from typing import Any

import pytest

from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, adapter
from streams.adapt.field_paths import find_field
from streams.adapt.webhook import bounce_class, json_body, moment_ms, reply

RECORD: dict[str, Any] = {
    "account": "brightleaf",
    "number": 4711,
    "user-variables": {"tenant": {"name": "larkspur"}, "a.b": "dotted"},
    "headers": [{"name": "X-Tenant", "value": "brightleaf"}, {"name": "x-tenant", "value": "second"}],
    "Meta": [{"Key": "Account", "Value": 12}],
    "payload": '{"customer": "inner", "list": ["first"]}',
    "tags": ["weekly", "sale"],
    "events": [{"id": "e1"}],
    "ServerID": 23,
    "flag": True,
    "share": 0.5,
    "broken": '{"customer": ',
    "nothing": None,
    "empty": [],
}


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("account", "brightleaf"),
        ("number", "4711"),
        ("user-variables.tenant.name", "larkspur"),
        ("user-variables.a.b", "dotted"),
        ("headers.X-Tenant", "brightleaf"),
        ("headers.X-TENANT", "brightleaf"),
        ("Meta.Account", "12"),
        ("payload.customer", "inner"),
        ("payload.list", "first"),
        ("tags", "weekly"),
        ("events.id", "e1"),
        ("serverId", "23"),
        ("broken", '{"customer":'),
        ("broken.customer", ""),
        ("account.more", ""),
        ("flag", ""),
        ("share", ""),
        ("nothing", ""),
        ("nothing.more", ""),
        ("empty", ""),
        ("user-variables", ""),
        ("absent", ""),
        ("..", ""),
    ],
)
def test_place_is_a_path_of_field_names(place: str, found: str) -> None:
    assert find_field(place, RECORD) == found


def test_exact_name_wins_over_one_in_other_letter_case() -> None:
    assert find_field("Id", {"ID": "other", "Id": "exact"}) == "exact"


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        (1757675281, 1757675281000),
        ("1757675281", 1757675281000),
        (1757675281.4405, 1757675281440),
        (1757675281440, 1757675281440),
        ("1757675281440", 1757675281440),
        (1757675281440526, 1757675281441),
        ("1757675281440526", 1757675281441),
        (1757675281440526000, 1757675281441),
        ("2025-09-12T11:08:01.4405260Z", 1757675281441),
        ("2025-09-12T13:08:01+02:00", 1757675281000),
        ("2025-09-12T07:08:01.000-0400", 1757675281000),
        ("2025-09-12 11:08:01", 1757675281000),
        ("9000-01-01T00:00:00Z", 221845392000000),
        (0, 0),
    ],
)
def test_times_in_seconds_milliseconds_or_written_out(written: float | str, ms: int) -> None:
    assert moment_ms(written, "time") == ms


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (None, "field `ts` is missing"),
        ("", "field `ts` is missing"),
        ("soon", "the time 'soon' is neither"),
        ("nan", "the time 'nan' is neither"),
        (float("inf"), "out of range"),
        ("9" * 400, "out of range"),
    ],
)
def test_time_that_cannot_be_read(written: float | str | None, complaint: str) -> None:
    with pytest.raises(AdaptError, match=complaint):
        moment_ms(written, "ts")


@pytest.mark.parametrize(
    ("diagnostic", "code", "status", "found"),
    [
        ("550 5.1.1 no such user", None, None, (550, "5.1.1")),
        ("smtp;550 5.1.1 no", 421, "4.7.0", (421, "4.7.0")),
        ("5.1.1 no such user", 550, None, (550, "5.1.1")),
        ("no such user", "550", "", (550, "")),
        ("smtp;550 5.1.1 no", "5.1.10", None, (550, "5.1.10")),
        ("suppressed", 605, None, (0, "")),
        ("bounced (550 5.1.1 no)", None, None, (550, "5.1.1")),
        ("", None, None, (0, "")),
    ],
)
def test_reply_is_the_vendors_or_stands_in_the_text(
    diagnostic: str, code: int | str | None, status: str | None, found: tuple[int, str]
) -> None:
    assert reply(diagnostic, code, status) == found


@pytest.mark.parametrize(
    ("known", "hard", "code", "status", "found"),
    [
        ("quota", True, 550, "5.1.1", "quota"),
        ("", True, 0, "", "invalid_recipient"),
        ("", True, 554, "", ""),
        ("", True, 0, "5.7.1", ""),
        ("", False, 0, "", ""),
    ],
)
def test_bare_word_hard_counts_only_without_a_reply(known: str, hard: bool, code: int, status: str, found: str) -> None:
    assert bounce_class(known, hard=hard, code=code, status=status) == found


def test_body_may_be_one_record_an_array_or_a_record_a_line() -> None:
    one, two = {"a": 1}, {"a": 2}
    for raw, records, many in (
        (json.dumps(one).encode(), [one], False),
        (json.dumps(one, indent=1).encode(), [one], False),
        (json.dumps([one, two], indent=1).encode(), [one, two], True),
        (b'{"a": 1}\r\n\n {"a": 2}\n', [one, two], True),
    ):
        body = json_body(raw)
        assert (body.records, body.many) == (records, many)


@pytest.mark.parametrize(
    "text",
    [r"\u0000", r"\\u0000", r"\\\\u0000", r"\u005cu0000", r"\u005Cu0000", r"\\\u00750000", r"\\u\u0030000"],
)
def test_nul_is_looked_for_however_it_is_written(text: str) -> None:
    raw = f'{{"a": "{text}"}}'.encode()
    assert json_body(raw).may_have_nul
    assert json_body(raw).each(lambda record: record).may_have_nul
    assert json_body(raw).unfolded(lambda record: [record]).may_have_nul
    assert not json_body(b'{"a": "u0000 \\\\ 0"}').may_have_nul


def test_nul_in_json_inside_a_text_field_is_found() -> None:
    inner = r"{\"customer\": \"a\u005cu0000b\"}"
    raw = f'{{"event": "spam", "ts": 1757675281, "X-Mailin-custom": "{inner}"}}'.encode()
    with pytest.raises(AdaptError, match="field `customer`: contains a NUL"):
        adapter("brevo")(raw, Context(b"a key", load_providers()))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"a": 1}\n{"a": ', "record 2: the message is not JSON"),
        (b'{"a": 1}\nnothing', "^record 2: the message is not JSON"),
        (b"", "^the message is empty"),
        (b"[1]", "expected `object`"),
        (b'"text"', "expected `object | array`"),
    ],
)
def test_body_of_another_shape(body: bytes, complaint: str) -> None:
    with pytest.raises(AdaptError, match=complaint):
        json_body(body)
