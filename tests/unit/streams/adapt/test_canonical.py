"""The project's own format, and what holds for all formats."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from schemas.event import MAX_CUSTOMER_BYTES, MAX_EVENT_BYTES, MailEvent
from schemas.providers import load_providers
from schemas.times import DAY_MS
from streams.adapt import FORMATS, AdaptError, Context, adapter
from streams.adapt.canonical import _hash, domain_of, hash_recipient
from streams.adapt.common import stable_id, time_ms
from streams.adapt.validate import check_time

KEY = b"a key"
CONTEXT = Context(hash_key=KEY, providers=load_providers())
BASE: dict[str, Any] = {"id": "e1", "type": "delivered", "time": 1757675281000, "customer": "brightleaf"}


def adapt(changes: dict[str, Any]) -> MailEvent:
    return adapt_bytes(json.dumps(BASE | changes).encode())


def adapt_bytes(raw: bytes) -> MailEvent:
    (event,) = adapter("canonical")(raw, CONTEXT)
    return event


def test_recipient_is_replaced_by_hash_domain_and_provider() -> None:
    event = adapt({"recipient": "<Iris@GMail.com>"})
    assert event.recipient == ""
    assert event.recipient_hash == hash_recipient("Iris@gmail.com", KEY)
    assert (event.recipient_domain, event.provider) == ("gmail.com", "gmail")


def test_event_that_is_hashed_already_is_completed() -> None:
    event = adapt({"recipient_hash": "ab" * 16, "recipient_domain": "Yahoo.com"})
    assert (event.recipient_hash, event.recipient_domain, event.provider) == ("ab" * 16, "yahoo.com", "yahoo")


@pytest.mark.parametrize("domain", ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example"])
def test_recipient_at_an_internationalized_domain_is_one_in_either_form(domain: str) -> None:
    """A log has it as it was written, a report as DNS knows it."""
    event = adapt({"recipient": f"iris@{domain}"})
    assert event.recipient_domain == "xn--bcher-kva.example"
    assert event.recipient_hash == hash_recipient("iris@xn--bcher-kva.example", KEY)
    assert adapt({"recipient_hash": "ab" * 16, "recipient_domain": domain}).recipient_domain == event.recipient_domain
    assert load_providers().by_spelling[domain] == ("xn--bcher-kva.example", "other")


def test_text_that_is_no_internationalized_domain_stays_as_it_is() -> None:
    assert domain_of("iris@bü cher.example") == "bü cher.example"


def test_provider_that_the_sender_knows_is_kept() -> None:
    assert adapt({"recipient": "a@harbour.example", "provider": "Gmail"}).provider == "gmail"


def test_recipient_without_a_domain_belongs_to_no_provider() -> None:
    event = adapt({"recipient": "postmaster"})
    assert (event.recipient_domain, event.provider) == ("", "other")
    assert event.recipient_hash


def test_unknown_fields_are_accepted() -> None:
    assert adapt({"colour": "blue"}).customer == "brightleaf"


def test_time_may_be_rfc_3339_with_an_offset() -> None:
    assert adapt({"time": "2025-09-12T13:08:01+02:00"}).time_ms == 1757675281000


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "the message is empty"),
        (b" \n", "the message is empty"),
        (b"hello", "the message is not JSON: invalid character (byte 0)"),
        (b"\xff{}", "the message is not UTF-8 text (byte 0)"),
        (b"[]", "the message: expected `object`, got `array`"),
        (b"{}", "field `id` is missing"),
        (b'{"id":"e1"', "the message is not JSON"),
        (json.dumps({"id": "e1", "type": "delivered", "time": 1}).encode(), "field `customer` is missing"),
    ],
)
def test_message_that_is_no_event_says_so(raw: bytes, complaint: str) -> None:
    with pytest.raises(AdaptError) as caught:
        adapt_bytes(raw)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"type": "opened"}, "field `type`: unknown value 'opened'; known are delivered, bounced"),
        ({"class": "mass"}, "field `class`: unknown value 'mass'; known are transactional, bulk"),
        ({"feedback_type": "grumble"}, "field `feedback_type`: unknown value 'grumble'; known are abuse"),
        ({"customer": ""}, "field `customer`: must not be empty"),
        ({"customer": " \t"}, "field `customer`: must not be empty"),
        ({"customer": None}, "field `customer`: expected `str`, got `null`"),
        ({"customer": "é" * 129}, "field `customer`: has 258 bytes in UTF-8; the limit is 256"),
        ({"time": 1.5}, "field `time`: expected epoch milliseconds"),
        ({"time": "noon"}, "field `time`: invalid RFC3339"),
        ({"time": 10**30}, "field `time`: the number is out of range"),
        ({"smtp_code": "550"}, "field `smtp_code`: expected `int`, got `str`"),
        ({"smtp_code": 5500}, "field `smtp_code`: 5500 is not a reply code"),
        ({"message_id": "a\0b"}, "field `message_id`: contains a NUL character"),
    ],
)
def test_bad_field_is_named_with_what_is_wrong(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(AdaptError) as caught:
        adapt(changes)
    assert complaint in str(caught.value)


def test_customer_of_exactly_the_limit_in_bytes_is_taken() -> None:
    assert adapt({"customer": "é" * (MAX_CUSTOMER_BYTES // 2)}).customer


def test_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert adapt({"diagnostic": "\\u0000"}).diagnostic == "\\u0000"


@pytest.mark.parametrize(
    "value",
    [b"1e999", b"-1e999", b"[" * 100_000, b'{"a":' * 100_000, b'"\x00"', b'"\xed\xa0\x80"', b'"\\ud800"'],
    ids=["huge", "minus huge", "deep arrays", "deep objects", "raw NUL", "surrogate bytes", "lone surrogate"],
)
@pytest.mark.parametrize("name", FORMATS)
def test_hostile_values_are_errors_of_the_adapter(name: str, value: bytes) -> None:
    for field in (b"time", b"id", b"other"):
        with pytest.raises(AdaptError):
            adapter(name)(b'{"type":"Delivery","event":"delivered","' + field + b'":' + value + b"}", CONTEXT)


@pytest.mark.parametrize("name", FORMATS)
def test_message_over_the_limit_is_refused(name: str) -> None:
    with pytest.raises(AdaptError, match=r"1,000,001 bytes; the limit is 1,000,000"):
        adapter(name)(b" " * (MAX_EVENT_BYTES + 1), CONTEXT)


def test_error_repeats_no_more_of_a_value_than_can_be_read() -> None:
    with pytest.raises(AdaptError, match="field `type`: unknown value") as caught:
        adapt({"type": "x" * 5_000})
    assert len(str(caught.value)) < 500


def test_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(AdaptError, match="unknown format `mbox`; known are canonical, kumomta"):
        adapter("mbox")


@pytest.mark.parametrize("key", [b"", b"k" * 65])
def test_hash_key_of_a_length_that_blake2b_does_not_take_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="hash_key has"):
        Context(hash_key=key, providers=CONTEXT.providers)


# --- laws ---

NAMES = [
    "recipient",
    "class",
    "smtp_code",
    "feedback_type",
    "event",
    "email",
    "timestamp",
    "smtp-id",
    "category",
    "reason",
    "pool",
    "Type",
    "DateTime",
    "ServerId",
    "Address",
    "Data",
    "TrackingType",
    "FailureType",
    "status",
    "queue",
    "event_time",
    "response",
    "feedback_report",
    "source_address",
    "meta",
]
WORDS = [
    "delivered",
    "bounced",
    "Delivery",
    "OOB",
    "Feedback",
    "bounce",
    "Failed",
    "Tracking",
    "Complaint",
    "2",
    "a@gmail.com",
    "@",
    "<>",
    "c:t@d",
    "2025-09-12T11:08:01.440526026Z",
    "1757675281",
    "[::1]:25",
]
FIELDS = st.sampled_from([*BASE, *NAMES])
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.sampled_from(WORDS),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(FIELDS, VALUES, max_size=8) | st.lists(
    st.dictionaries(FIELDS, VALUES, max_size=8), max_size=3
)


def holds(name: str, raw: bytes) -> None:
    """Events that can be stored and sent on, or an AdaptError; nothing else."""
    try:
        events = adapter(name)(raw, CONTEXT)
    except AdaptError as error:
        assert str(error)
        return
    for event in events:
        assert event.recipient == ""
        assert event.provider
        assert 0 < len(event.customer.encode()) <= MAX_CUSTOMER_BYTES
        again = adapt_bytes(msgspec.json.encode(event))
        assert again == event


def all_hold(raw: bytes) -> None:
    for name in FORMATS:
        note(name)  # the last one is that which fails
        holds(name, raw)


#: To draw an example costs a hundred times what an adapter takes to read it: all formats are given the same, three
#: times as many as each would have of its own.
MANY = settings(max_examples=3 * settings().max_examples)


@MANY
@given(raw=st.binary(max_size=300))
def test_any_bytes_give_events_or_the_one_error_in_every_format(raw: bytes) -> None:
    all_hold(raw)


@MANY
@given(document=DOCUMENTS)
def test_any_json_gives_events_or_the_one_error_in_every_format(document: Any) -> None:
    all_hold(json.dumps(document).encode())


BODIES: dict[str, Any] = {
    "canonical": BASE | {"recipient": "a@gmail.com"},
    "kumomta": {"type": "Feedback", "queue": "c:t@d", "timestamp": 1, "feedback_report": {}, "response": {}},
    "sendgrid": [{"event": "bounce", "timestamp": 1, "customer": "c", "email": "a@gmail.com"}],
    "socketlabs": {
        "Type": "Failed",
        "DateTime": "2025-09-12T11:08:01Z",
        "ServerId": 1,
        "Address": "a@b.example",
    },
}


@pytest.mark.parametrize("name", BODIES)
@given(field=FIELDS, value=VALUES)
def test_a_good_record_with_any_one_field_changed_gives_events_or_the_one_error(
    name: str, field: str, value: Any
) -> None:
    body = BODIES[name]
    changed = [body[0] | {field: value}] if isinstance(body, list) else body | {field: value}
    assert adapter(name)(json.dumps(body).encode(), CONTEXT)
    holds(name, json.dumps(changed).encode())


# --- the shared parts ---


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("Ida (Sales) <ida@gmail.com>", "ida@gmail.com"),
        ('"Ida <old@b.example>" <ida@gmail.com>', "ida@gmail.com"),
        ("ida@gmail.com (Ida Sales)", "ida@gmail.com"),
        ("<ida@gmail.com> (Ida)", "ida@gmail.com"),
        ("<@relay.example:ida@gmail.com>", "ida@gmail.com"),
        ("@a.example,@b.example:ida@gmail.com", "ida@gmail.com"),
    ],
)
def test_what_stands_beside_an_address_makes_no_other_of_it(written: str, bare: str) -> None:
    """A complaint with the name and a delivery without were of two recipients."""
    assert hash_recipient(written, KEY) == hash_recipient(bare, KEY)
    assert domain_of(written) == "gmail.com"


@pytest.mark.parametrize(
    "address", ['"a <b"@gmail.com', '"@x:y"@gmail.com', "a:b@gmail.com", "@a@gmail.com", "a(b)@gmail.com"]
)
def test_what_is_of_an_address_stays(address: str) -> None:
    local, _, domain = address.rpartition("@")
    assert hash_recipient(address, KEY) == _hash(local, domain, KEY)


def test_hash_depends_on_key_and_address_and_not_on_domain_case_or_brackets() -> None:
    plain = hash_recipient("a@b.example", KEY)
    assert len(plain) == 32
    assert plain == hash_recipient(" <a@B.EXAMPLE> ", KEY)
    assert plain != hash_recipient("A@b.example", KEY)
    assert plain != hash_recipient("a@b.example", b"another key")
    assert hash_recipient("", KEY) == hash_recipient("<>", KEY) == ""


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@B.Example", "b.example"),
        ('"x@y"@b.example.', "b.example"),
        ("<a@b.example>", "b.example"),
        ("a", ""),
    ],
)
def test_domain_of_an_address(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_parts_of_an_id_do_not_run_into_each_other() -> None:
    assert stable_id("ab", "c") == stable_id("ab", "c")
    assert stable_id("ab", "c") != stable_id("a", "bc")
    assert stable_id("a", "") != stable_id("a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1757675281, 1757675281000),
        (1757675281.4405, 1757675281440),
        ("1757675281", 1757675281000),
        ("2025-09-12T11:08:01.4405260Z", 1757675281441),
        ("2025-09-12T13:08:01+02:00", 1757675281000),
    ],
)
def test_times_of_all_formats(value: float | str, expected: int) -> None:
    assert time_ms(value) == expected


# --- whether a time is plausible ---

NOW_MS = 1757675281000
BOUNDS = {"max_ahead_ms": DAY_MS, "max_behind_ms": 90 * DAY_MS}


@pytest.mark.parametrize("offset_ms", [0, DAY_MS, -90 * DAY_MS])
def test_time_within_the_bounds_is_taken(offset_ms: int) -> None:
    assert check_time(adapt({"time": NOW_MS + offset_ms}), NOW_MS, **BOUNDS) is None


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (NOW_MS + DAY_MS + 1, "lies 24.0 hours in the future; 24.0 hours are allowed"),
        (NOW_MS - 91 * DAY_MS, "lies 91 days in the past; 90 days are allowed"),
        (NOW_MS // 1000, "are these seconds? milliseconds are expected"),
        (2**62, "in the future"),
        (-(2**62), "in the past"),
    ],
)
def test_time_outside_the_bounds_is_refused_with_a_reason(time: int, reason: str) -> None:
    found = check_time(adapt({"time": time}), NOW_MS, **BOUNDS)
    assert found is not None
    assert reason in found


@given(st.datetimes(timezones=st.just(UTC)))
def test_bounds_hold_for_every_time(moment: datetime) -> None:
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    event = MailEvent(id="e", type="delivered", time=moment, customer="c")
    refused = check_time(event, NOW_MS, **BOUNDS) is not None
    # Half a millisecond is lost in rounding.
    slack = timedelta(milliseconds=1)
    if moment - now > timedelta(days=1) + slack or now - moment > timedelta(days=90) + slack:
        assert refused
    elif moment - now <= timedelta(days=1) - slack and now - moment <= timedelta(days=90) - slack:
        assert not refused
