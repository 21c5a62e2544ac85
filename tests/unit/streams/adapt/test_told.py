"""What each source tells besides fates: the files of `docs/fields` held against the adapters.

A file has messages that together tell all that the source can, and says where; the page on formats has its tables from
it. What is said to be told, an event of these messages has; what is not, none has, nor one of the examples of fates.
"""

import pytest

from docs.generate.fates import load_fates
from docs.generate.told import COLUMNS, Fields, load_fields
from schemas.event import DEFAULT_STREAM, MailEvent
from schemas.providers import load_providers
from streams.adapt import FORMATS, MAILS, Context, FormatOptions, adapter

SOURCES, FATES = load_fields(), load_fates()
HOUSE = "house"


def events_of(name: str, bodies: list[str], options: FormatOptions) -> list[MailEvent]:
    context = Context(b"a key", load_providers(), {name: options}, clock=lambda: 1_757_700_000_000)
    raws = [body.replace("\n", "\r\n") if name in MAILS else body for body in bodies]
    return [event for raw in raws for event in adapter(name)(raw.encode(), context)]


def with_options(source: Fields) -> FormatOptions:
    named = source.options
    return FormatOptions(
        customer=named.customer,
        default_customer=HOUSE,
        stream=named.stream,
        sub_account=named.sub_account,
        pool=named.pool,
    )


def tells(event: MailEvent, column: str) -> bool:
    account, slash, stream = event.stream.rpartition("/")
    match column:
        case "customer":
            return event.customer != HOUSE
        case "stream":
            return stream != DEFAULT_STREAM
        case "sub_account":
            return bool(account and slash)
        case "recipient":
            return bool(event.recipient_hash and event.recipient_domain)
        case "reply":
            return bool(event.diagnostic)
        case _:
            return bool(getattr(event, column))


def test_every_source_has_a_file() -> None:
    assert set(SOURCES) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_source_is_said_to_tell_it_tells_and_no_more(name: str) -> None:
    source = SOURCES[name]
    events = events_of(name, list(source.full), with_options(source))
    assert events
    told = {column for column in COLUMNS if any(tells(event, column) for event in events)}
    assert told == {column for column in COLUMNS if getattr(source.told, column)}


@pytest.mark.parametrize("name", FORMATS)
def test_no_example_of_a_fate_tells_what_the_source_is_said_never_to_tell(name: str) -> None:
    never = [column for column in COLUMNS if not getattr(SOURCES[name].told, column)]
    bodies = [case.body for case in FATES[name].cases]
    events = events_of(name, bodies, FormatOptions(default_customer=HOUSE))
    assert [column for column in never for event in events if tells(event, column)] == []
