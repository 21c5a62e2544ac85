"""Mail that a content filter takes long before it gives it back: each recipient counts once, whatever comes first."""

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, ordered_adapter

PROVIDERS = load_providers()
NOW_MS = int(datetime(2025, 3, 3, 12, tzinfo=UTC).timestamp() * 1000)
FIRST, SECOND, THIRD = "4XyQ1z3vBKzJr1", "4XyQ1z3vBKzJr2", "4XyQ1z3vBKzJr3"
TO = "iris@example.org"
LATER = "10:17:12"


def line(queue_id: str, text: str, service: str = "smtp", at: str = "10:11:12", program: str = "postfix") -> str:
    return f"2025-03-03T{at}+00:00 mx1 {program}/{service}[811]: {queue_id}: {text}"


def came_in(queue_id: str, client: str, message_id: str = "m1@acme.example", at: str = "10:11:12") -> list[str]:
    """What is logged when mail is queued."""
    return [
        line(queue_id, f"client={client}", "smtpd", at),
        line(queue_id, f"message-id=<{message_id}>", "cleanup", at),
        line(queue_id, "from=<bounce@shop.example>, size=1200, nrcpt=1 (queue active)", "qmgr", at),
    ]


def sent(queue_id: str, relay: str, said: str = "250 2.0.0 Ok", to: str = TO, original: str = "") -> str:
    alias = f"orig_to=<{original}>, " if original else ""
    return line(queue_id, f"to=<{to}>, {alias}relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent ({said})")


def sent_out(queue_id: str, to: str = TO, original: str = "") -> str:
    return sent(queue_id, "mx.example.org[192.0.2.4]:25", to=to, original=original)


def read(lines: Sequence[str], format_name: str = "postfix", restart_at: int = -1) -> list[MailEvent]:
    """The events of a log that is followed; with a restart in which the memory is written and read."""
    adapt = ordered_adapter(format_name)
    context = Context(b"a key", PROVIDERS, {format_name: FormatOptions()}, clock=lambda: NOW_MS)
    events: list[MailEvent] = []
    for number, each in enumerate(lines):
        assert adapt is not None
        if number == restart_at:
            memory = pickle.loads(pickle.dumps(adapt.memory))  # noqa: S301 - our own
            adapt = ordered_adapter(format_name)
            assert adapt is not None
            adapt.memory = memory
        events += adapt.adapt(each.encode(), context)
    return events


SUBMITTED = came_in(FIRST, "app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme")
OTHER_ID = "other@filter.example"
#: To which relay the first pass went and what that said; from where the second came in, and with which message id.
FILTERS = {
    "the same host, at a port for mail": ("filter[192.0.2.77]:25", "250 Ok", "filter[192.0.2.77]", "m1@acme.example"),
    "the same host, at another port": ("filter[192.0.2.77]:10024", "250 Ok", "filter[192.0.2.77]", "m1@acme.example"),
    "IPv6": ("filter[2001:db8::7]:25", "250 Ok", "filter[2001:db8::7]", "m1@acme.example"),
    "another host inside": ("filter[10.0.0.7]:25", "250 Ok", "out[10.0.0.8]", "m1@acme.example"),
    "another host, not at a port for mail": (
        "filter[192.0.2.77]:10024", "250 Ok", "out[192.0.2.78]", "m1@acme.example",
    ),
    "XFORWARD": (
        "filter[192.0.2.77]:25", "250 Ok", f"out[192.0.2.78], orig_queue_id={FIRST}, orig_client=app[192.0.2.9]",
        OTHER_ID,
    ),
    "the id that was confirmed": ("out1[192.0.2.77]:25", f"250 Ok: queued as {SECOND}", "mx1[192.0.2.9]", OTHER_ID),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILTERS)
def test_filter_that_gives_mail_back_after_it_took_it_counts_once(kind: str) -> None:
    relay, said, client, message_id = FILTERS[kind]
    events = read([*SUBMITTED, sent(FIRST, relay, said), *came_in(SECOND, client, message_id), sent_out(SECOND)])
    assert [(event.type, event.customer) for event in events] == [("delivered", "acme")]


@pytest.mark.parametrize("kind", FILTERS)
@given(data=st.data())
def test_one_event_in_any_order_of_both_passes_and_with_a_restart_anywhere(kind: str, data: st.DataObject) -> None:
    """The lines of each pass keep their order; those of the two may come in any, as from two hosts."""
    relay, said, client, message_id = FILTERS[kind]
    first, second = [sent(FIRST, relay, said)], [*came_in(SECOND, client, message_id), sent_out(SECOND)]
    place = data.draw(st.integers(0, len(second)))
    lines = [*SUBMITTED, *second[:place], *first, *second[place:]]
    events = read(lines, restart_at=data.draw(st.integers(0, len(lines))))
    assert [event.type for event in events] == ["delivered"]


def test_two_filters_one_after_the_other_count_once() -> None:
    second = [*came_in(SECOND, "f1[192.0.2.77]"), sent(SECOND, "f2[192.0.2.78]:25")]
    third = [*came_in(THIRD, "f2[192.0.2.78]"), sent_out(THIRD)]
    assert len(read([*SUBMITTED, sent(FIRST, "f1[192.0.2.77]:25"), *second, *third])) == 1


def test_alias_that_the_second_pass_resolves_is_as_many_deliveries_as_addresses() -> None:
    first = sent(FIRST, "filter[192.0.2.77]:25", to="team@example.org")
    outs = [sent_out(SECOND, f"{name}@example.net", "team@example.org") for name in ("ann", "bo", "cy")]
    for lines in ([first, *came_in(SECOND, "filter[192.0.2.77]"), *outs],
                  [*came_in(SECOND, "filter[192.0.2.77]"), *outs, first]):  # fmt: skip
        assert [event.type for event in read([*SUBMITTED, *lines])] == ["delivered"] * 3


def test_every_recipient_of_one_mail_counts_once() -> None:
    names = [f"r{number}@example.org" for number in range(20)]
    first = [sent(FIRST, "filter[10.0.0.7]:25", to=name) for name in names]
    second = [sent_out(SECOND, name) for name in reversed(names)]
    events = read([*SUBMITTED, *first[:7], *came_in(SECOND, "filter[10.0.0.7]"), *second, *first[7:]])
    assert len(events) == len({event.recipient_hash for event in events}) == 20


REFUSED = "relay=mx.example.org[192.0.2.4]:25, delay=1, dsn=5.1.1, status=bounced (host said: 550 5.1.1 unknown)"
PUT_OFF = "relay=mx.example.org[192.0.2.4]:25, delay=1, dsn=4.2.0, status=deferred (host said: 451 4.2.0 later)"


@pytest.mark.parametrize(
    ("end", "kinds"),
    [
        ([line(SECOND, f"to=<{TO}>, {REFUSED}", at=LATER)], ["delivered", "bounced"]),
        (
            [
                line(SECOND, f"to=<{TO}>, {PUT_OFF}", at=LATER),
                line(SECOND, "from=<bounce@shop.example>, status=expired, returned to sender", "qmgr", at=LATER),
            ],
            ["delivered", "deferred", "expired"],
        ),
    ],
)
def test_failure_after_a_filter_took_it_comes_after_the_delivery(end: list[str], kinds: list[str]) -> None:
    """So that the recipient counts once, as failed, in the minute in which the customer sent the mail."""
    given_on = sent(FIRST, "filter[192.0.2.77]:25")
    events = read([*SUBMITTED, given_on, *came_in(SECOND, "filter[192.0.2.77]", at="10:16:00"), *end])
    assert [event.type for event in events] == kinds
    assert [event.customer for event in events] == ["acme"] * len(kinds)
    assert (events[-1].asynchronous, events[-1].sent) == (True, events[0].sent)


def test_second_pass_of_a_named_filter_is_the_mail_of_who_logged_in() -> None:
    adapt = ordered_adapter("postfix")
    assert adapt is not None
    options = FormatOptions(filters=frozenset({"192.0.2.77"}))
    context = Context(b"a key", PROVIDERS, {"postfix": options}, clock=lambda: NOW_MS)
    given_on = sent(FIRST, "filter[192.0.2.77]:25")
    lines = [*SUBMITTED, given_on, *came_in(SECOND, "filter[192.0.2.77]"), sent_out(SECOND)]
    events = [event for each in lines for event in adapt.adapt(each.encode(), context)]
    assert [(event.customer, event.mx_host) for event in events] == [("acme", "mx.example.org")]


def test_host_that_gave_mail_back_is_known_when_it_gives_back_the_next() -> None:
    """Whose login was known in the first pass, before that is said to have been handed on."""
    back, relay = "out[192.0.2.77]", "filter[192.0.2.77]:25"
    first = [*SUBMITTED, sent(FIRST, relay), *came_in(SECOND, back), sent_out(SECOND)]
    again = came_in(THIRD, "app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme", "m2@acme.example")
    last = "4XyQ1z3vBKzJr4"
    events = read([*first, *again, *came_in(last, back, "m2@acme.example"), sent_out(last), sent(THIRD, relay)])
    assert [(event.type, event.customer) for event in events] == [("delivered", "acme")] * 2


MAIL_OF_ITS_OWN = {
    "a smarthost": [sent(FIRST, "smart[192.0.2.77]:587", "250 2.0.0 Ok: queued as 3F2A1B9C0D")],
    "a smarthost inside, and the next mail of the same application": [
        sent(FIRST, "smart[10.0.0.7]:25"), *came_in(SECOND, "app[10.0.0.5]", "m2@acme.example"),
        sent(SECOND, "smart[10.0.0.7]:25"),
    ],
    "the same mail to each recipient by itself": [
        sent(FIRST, "smart[10.0.0.7]:25"), *came_in(SECOND, "app[10.0.0.5]"),
        sent(SECOND, "smart[10.0.0.7]:25", to="ann@example.org"),
    ],
    "a copy from a list": [sent_out(FIRST), *came_in(SECOND, "list[192.0.2.200]"), sent_out(SECOND)],
    "what a smarthost forwards through us to somebody else": [
        sent(FIRST, "smart[192.0.2.77]:25"), *came_in(SECOND, "smart[192.0.2.77]"), sent_out(SECOND, "new@example.net"),
    ],
    "sent again by who logged in": [
        sent(FIRST, "smart[10.0.0.7]:25"),
        *came_in(SECOND, "app[10.0.0.5], sasl_method=PLAIN, sasl_username=acme"), sent(SECOND, "smart[10.0.0.7]:25"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", MAIL_OF_ITS_OWN)
def test_delivery_by_a_real_smarthost_is_not_lost(kind: str) -> None:
    lines = [*SUBMITTED, *MAIL_OF_ITS_OWN[kind]]
    assert len(read(lines)) == sum("status=sent" in each for each in lines)


# --- Exim ---

EXIM = ("1xXa37-0006E0-15", "1xXa38-0006FE-0I")


def exim(queue_id: str, text: str, at: str = "10:11:12") -> str:
    return f"2025-03-03 {at} {queue_id} {text}"


EXIM_ARRIVED = exim(EXIM[0], "<= b@shop.example H=(app) [192.0.2.9] P=esmtpsa A=plain:acme S=400 id=m1@acme.example")
EXIM_SENT = "R=out T=smtp H=mx.example.org [192.0.2.4]:25"


@pytest.mark.parametrize("host", ["H=scan [192.0.2.77]:25", "H=scan [192.0.2.77]:10024", "H=scan [10.0.0.7]:25"])
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("restart_at", range(4))
def test_filter_of_exim_that_gives_mail_back_later_counts_once(host: str, place: int, restart_at: int) -> None:
    first = [exim(EXIM[0], f'=> {TO} F=<b@shop.example> R=scan T=smtp {host} C="250 Ok"')]
    client = host.rpartition(":")[0]
    second = [
        exim(EXIM[1], f"<= b@shop.example {client} P=esmtp S=400 id=m1@acme.example"),
        exim(EXIM[1], f"=> {TO} F=<b@shop.example> {EXIM_SENT}"),
    ]
    (event,) = read([EXIM_ARRIVED, *second[:place], *first, *second[place:]], "exim", restart_at)
    # Before the first pass is told of, nothing tells a filter outside from a stranger who writes the same message id.
    known = place < 2 or "10.0.0.7" in host
    assert (event.type, event.customer) == ("delivered", "acme" if known else "shop.example")


def test_failure_of_exim_after_a_filter_took_it_comes_after_the_delivery() -> None:
    events = read(
        [
            EXIM_ARRIVED,
            exim(EXIM[0], f"=> {TO} F=<b@shop.example> R=scan T=smtp H=scan [192.0.2.77]:25"),
            exim(EXIM[1], "<= b@shop.example H=scan [192.0.2.77] P=esmtp S=400 id=m1@acme.example", LATER),
            exim(EXIM[1], f"** {TO} F=<b@shop.example> {EXIM_SENT}: SMTP error: 550 5.1.1 unknown", LATER),
        ],
        "exim",
    )
    assert [(event.type, event.customer, event.asynchronous) for event in events] == [
        ("delivered", "acme", False), ("bounced", "acme", True),
    ]  # fmt: skip
    assert events[0].sent == events[1].sent
