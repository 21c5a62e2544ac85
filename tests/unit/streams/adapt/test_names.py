"""Names that come in with events: which are refused, and what is taken away from their ends."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import providers
from schemas.event import MailEvent
from schemas.names import BadNameError, clean_name
from streams.adapt import FORMATS, AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import adapt_all
from tests.support.adapt_bodies import bodies

PROVIDERS = providers.load_providers()
BASE: dict[str, Any] = {"id": "e1", "type": "delivered", "time": 1757675281000, "customer": "acme"}
#: A place that is in no body, in the words of the formats that take not any word.
NOWHERE = {
    "kumomta": "meta.nowhere",
    "socketlabs": "meta.nowhere",
    "postfix": "header.nowhere",
    "exim": "header.nowhere",
    "arf": "header.nowhere",
    "dsn": "header.nowhere",
}
HOSTILE = {
    "terminal escape": ("a\x1b[2Jb", "U+001B"),
    "line end": ("a\nALERT b", "U+000A"),
    "carriage return": ("a\rb", "U+000D"),
    "tab": ("a\tb", "U+0009"),
    "delete": ("a\x7fb", "U+007F"),
    "C1 control sequence": ("a\x9b2Jb", "U+009B"),
    "C1 next line": ("a\x85b", "U+0085"),
    "line separator": ("a\u2028b", "U+2028"),
    "paragraph separator": ("a\u2029b", "U+2029"),
    "right-to-left override": ("a\u202eb", "U+202E"),
    "left-to-right isolate": ("a\u2066b", "U+2066"),
}
FINE = (
    "acme",
    "señor ☃",
    "株式会社メール",
    "7/default",
    "a b",
    "a\u00a0b",
    "न\u200cर",
    "👩\u200d💻",
    "[red]x[/]",
)


def canonical(*changes: dict[str, Any]) -> list[MailEvent]:
    """Read at once; one by one gives the same."""
    context = Context(hash_key=b"key", providers=PROVIDERS)
    raws = [json.dumps(BASE | each).encode() for each in changes]
    single = [event for raw in raws for event in adapter("canonical")(raw, context)]
    assert adapt_all(raws, context) == (single, range(len(raws)))
    return single


def refused(change: dict[str, Any]) -> str:
    """Why a canonical event is refused; at once it is not read at all."""
    context = Context(hash_key=b"key", providers=PROVIDERS)
    raw = json.dumps(BASE | change).encode()
    assert adapt_all([raw], context) is None
    with pytest.raises(AdaptError) as caught:
        adapter("canonical")(raw, context)
    return str(caught.value)


def read(name: str, default_customer: str) -> list[MailEvent]:
    """The events of a format's bodies, of which none names a customer."""
    options = FormatOptions(customer=NOWHERE.get(name, "nowhere"), default_customer=default_customer)
    context = Context(hash_key=b"key", providers=PROVIDERS, mapping={name: options})
    return [event for body in bodies(name) for event in adapter(name)(body, context)]


@pytest.mark.parametrize("field", ["customer", "stream", "ip_pool"])
@pytest.mark.parametrize(("name", "found"), HOSTILE.values(), ids=HOSTILE)
def test_control_character_is_refused_by_field_and_code_point(field: str, name: str, found: str) -> None:
    assert refused({field: name}) == f"field `{field}`: contains the control character {found}"


@pytest.mark.parametrize("name", [each for each in FORMATS if each != "canonical"])
def test_every_format_refuses_a_control_character_and_strips_blanks(name: str) -> None:
    events = read(name, "  acme \t")
    assert events
    assert {event.customer for event in events} == {"acme"}
    with pytest.raises(AdaptError, match=r"field `customer`: contains the control character U\+001B"):
        read(name, "a\x1b[31mb")


@pytest.mark.parametrize("name", FINE)
def test_name_of_any_script_is_taken_as_it_is(name: str) -> None:
    (event,) = canonical({"customer": name, "stream": name, "ip_pool": name})
    assert (event.customer, event.stream, event.ip_pool) == (name, name, name)


def test_blanks_at_the_ends_are_no_part_of_a_name() -> None:
    first, second = canonical(
        {"customer": " acme\n", "stream": "\tnews ", "ip_pool": "\u3000shared "},
        {"customer": "acme", "stream": "news", "ip_pool": "shared"},
    )
    assert (first.customer, first.stream, first.ip_pool) == ("acme", "news", "shared")
    assert first == second


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000"])
def test_blank_name_is_as_a_missing_one(blank: str) -> None:
    given, missing = canonical({"stream": blank, "ip_pool": blank}, {})
    assert given == missing
    assert refused({"customer": blank}) == "field `customer`: must not be empty"


def test_blank_customer_of_a_record_is_the_default_one() -> None:
    context = Context(
        hash_key=b"key",
        providers=PROVIDERS,
        mapping={"kumomta": FormatOptions(customer="meta.customer", default_customer="house")},
    )
    record = {"type": "Delivery", "id": "k1", "queue": "q", "recipient": "a@b.example", "timestamp": 1757675281}
    (event,) = adapter("kumomta")(json.dumps(record | {"meta": {"customer": "  "}}).encode(), context)
    assert event.customer == "house"


@given(st.text())
def test_clean_name_is_clean_and_stays_so(text: str) -> None:
    """What is left is one line without control characters, or an error names what is wrong."""
    try:
        name = clean_name(text)
    except BadNameError:
        return
    assert name == name.strip() == clean_name(f"  {name}\n")
    assert not {unicodedata.category(each) for each in name} & {"Cc", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(each) for each in name} & {"LRE", "RLE", "LRO", "RLO", "PDF"}
    assert len(name.splitlines()) <= 1
