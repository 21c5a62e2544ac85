"""The examples next to the schemas: a valid one passes JSON Schema and Python type, an invalid one neither.

An invalid file is named `FIELD.WHAT-IS-WRONG.json`, or `message.…` where the message as a whole is wrong.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from schemas import alert, breaker_event, customer_event, event, levels, listing, topics
from schemas.event import MailEvent
from schemas.times import epoch_ms
from streams.adapt.canonical import check

KINDS = {kind.name: kind for topic in topics.load_topics().values() for kind in topic.kinds}
ROOT = Path(str(topics.folder("examples")))
TIME_FIELDS = frozenset({"time"})
#: jsonschema checks `date-time` only with another package; the type's own reader says no less.
FORMATS = FormatChecker(("ipv4", "ipv6", "regex"))


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or isinstance(datetime.fromisoformat(value.upper()), datetime)


def validator(name: str) -> Draft202012Validator:
    schema = topics.folder("json").joinpath(KINDS[name].schema).read_text(encoding="utf-8")
    return Draft202012Validator(msgspec.json.decode(schema), format_checker=FORMATS)


VALIDATORS = {name: validator(name) for name in KINDS}


def examples(kind: str) -> list[Any]:
    files = [(file.parent.parent.name, file) for file in sorted(ROOT.glob(f"*/{kind}/*.json"))]
    return [pytest.param(topic, file, id=f"{topic}/{file.stem}") for topic, file in files]


def parsed(kind: str, topic: str, *path: str) -> set[str]:
    """The values at one path of all examples of a topic."""
    found = set()
    for file in (ROOT / topic / kind).glob("*.json"):
        value = msgspec.json.decode(file.read_bytes())
        for name in path:
            value = value.get(name, "")
        found.add(value)
    return found


@pytest.mark.parametrize(("topic", "file"), examples("valid"))
def test_valid_example_passes_schema_and_type(topic: str, file: Path) -> None:
    raw = file.read_bytes()
    VALIDATORS[topic].validate(msgspec.json.decode(raw))
    msgspec.json.decode(raw, type=KINDS[topic].message_type(), strict=True)


@pytest.mark.parametrize(("topic", "file"), examples("valid"))
def test_valid_example_survives_the_round_trip_without_loss(topic: str, file: Path) -> None:
    raw = file.read_bytes()
    message_type = KINDS[topic].message_type()
    message = msgspec.json.decode(raw, type=message_type)
    written = msgspec.json.encode(message)
    assert msgspec.json.decode(written, type=message_type) == message
    VALIDATORS[topic].validate(msgspec.json.decode(written))
    defaults = {each.encode_name: each.default for each in msgspec.structs.fields(message_type)}
    again = {**defaults, **msgspec.json.decode(written)}
    for name, value in msgspec.json.decode(raw).items():
        if name in TIME_FIELDS and isinstance(value, str):
            assert epoch_ms(_when(again[name])) == epoch_ms(_when(value))
        else:
            assert _kept(value, again[name])


@pytest.mark.parametrize(("topic", "file"), examples("invalid"))
def test_invalid_example_fails_the_type_where_its_name_says(topic: str, file: Path) -> None:
    field, wrong = file.stem.rsplit(".", 1)
    with pytest.raises(msgspec.ValidationError) as failure:
        msgspec.json.decode(file.read_bytes(), type=KINDS[topic].message_type(), strict=True)
    said = str(failure.value)
    if wrong == "missing":
        parent, _, name = field.rpartition(".")
        assert f"required field `{name}`" in said
        assert (f"at `{_path(parent)}`" in said) == bool(parent)
    elif field == "message":
        assert said.startswith("Expected `object`")
        assert "$." not in said
    else:
        assert f"at `{_path(field)}`" in said


@pytest.mark.parametrize(("topic", "file"), examples("invalid"))
def test_invalid_example_fails_the_schema_where_its_name_says_and_nowhere_else(topic: str, file: Path) -> None:
    field, wrong = file.stem.rsplit(".", 1)
    errors: list[ValidationError] = list(VALIDATORS[topic].iter_errors(msgspec.json.decode(file.read_bytes())))
    assert errors
    if wrong == "missing":
        parent, _, name = field.rpartition(".")
        assert [each.validator for each in errors] == ["required"]
        assert errors[0].json_path == _path(parent)
        assert f"'{name}' is a required property" in errors[0].message
    else:
        assert {each.json_path for each in errors} == {_path("" if field == "message" else field)}


@pytest.mark.parametrize("topic", KINDS)
def test_every_kind_of_message_has_valid_and_invalid_examples_and_nothing_else_does(topic: str) -> None:
    assert list((ROOT / topic / "valid").glob("*.json"))
    assert list((ROOT / topic / "invalid").glob("*.json"))
    assert {each.name for each in ROOT.iterdir()} == set(KINDS)


@pytest.mark.parametrize(
    ("topic", "path", "choices"),
    [
        (topics.MAIL_EVENTS, ("type",), get_args(event.EventType)),
        (topics.MAIL_EVENTS, ("feedback_type",), get_args(event.FeedbackType)),
        (topics.MAIL_EVENTS, ("class",), get_args(event.StreamClass)),
        (topics.MAIL_BLOCKLISTINGS, ("type",), get_args(listing.ListingType)),
        (topics.MAIL_BLOCKLISTINGS, ("kind",), get_args(listing.ResourceKind)),
        (topics.MAIL_BLOCKLISTINGS, ("weight",), get_args(listing.Weight)),
        (topics.REPUTATION_ALERTS, ("data", "kind"), get_args(alert.TransitionKind)),
        (topics.REPUTATION_ALERTS, ("data", "level"), levels.LEVELS),
        ("reputation.alerts.customer", ("data", "kind"), get_args(customer_event.CustomerEventKind)),
        ("reputation.holds.breaker", ("data", "kind"), get_args(breaker_event.BreakerEventKind)),
        (topics.REPUTATION_ALERTS, ("data", "cause"), get_args(alert.Cause)),
    ],
)
def test_every_choice_has_a_valid_example(topic: str, path: tuple[str, ...], choices: tuple[str, ...]) -> None:
    assert set(choices) <= parsed("valid", topic, *path)


def test_unknown_fields_are_allowed_and_ignored() -> None:
    message = {"id": "1", "type": "delivered", "time": 1764547200123, "customer": "acme", "tags": ["x"]}
    VALIDATORS[topics.MAIL_EVENTS].validate(message)
    assert msgspec.convert(message, MailEvent).id == "1"


@pytest.mark.parametrize(
    "wrong", [1_764_547_200, "2025-12-01T00:00:00", "2025-12-01 00:00:00Z", "2025-02-30T00:00:00Z"]
)
def test_schema_asks_for_milliseconds_or_a_full_rfc_3339_time(wrong: int | str) -> None:
    message = {"id": "1", "type": "delivered", "time": wrong, "customer": "acme"}
    assert [each.json_path for each in VALIDATORS[topics.MAIL_EVENTS].iter_errors(message)]


DATE_LIKE = (
    r"\A20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
    r"(\.[0-9]{0,9})?([Zz]|[+-][0-9]{2}:?[0-9]{2})?\Z"
)
times = st.one_of(
    st.integers(-(10**13), 10**14),
    st.datetimes(timezones=st.one_of(st.none(), st.timezones())).map(lambda when: when.isoformat()),
    st.from_regex(DATE_LIKE),
)


@given(
    st.fixed_dictionaries(
        {
            "id": st.text(max_size=260),
            "type": st.sampled_from(get_args(event.EventType)),
            "time": times,
            "customer": st.text(max_size=4),
        },
        optional={
            "smtp_code": st.integers(-5, 70_000),
            "stream": st.text(max_size=3),
            "asynchronous": st.sampled_from([True, False, 1]),
        },
    )
)
def test_what_the_schema_accepts_is_taken(message: dict[str, Any]) -> None:
    """By the type, and by what else is asked of names and numbers."""
    if VALIDATORS[topics.MAIL_EVENTS].is_valid(message):
        check(msgspec.json.decode(msgspec.json.encode(message), type=MailEvent))


@pytest.mark.parametrize("field", ["customer", "stream", "ip_pool"])
@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\x9bb", "a\x7fb", "a\nb", "a\u2028b", "a\u202eb"])
def test_schema_refuses_control_characters_in_names(field: str, name: str) -> None:
    message = {"id": "1", "type": "delivered", "time": 1764547200123, "customer": "acme", field: name}
    assert [each.json_path for each in VALIDATORS[topics.MAIL_EVENTS].iter_errors(message)] == [f"$.{field}"]


def _when(value: int | str) -> int | datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _path(field: str) -> str:
    """`a.0.b` as `$.a[0].b`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"$.{field}") if field else "$"


def _kept(value: Any, again: Any) -> bool:
    """Whether all of `value` is in `again`, which may have more fields."""
    if isinstance(value, dict):
        return all(name in again and _kept(each, again[name]) for name, each in value.items())
    return bool(value == again)
