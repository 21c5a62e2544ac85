"""Mail that is queued more than once on its way out: through content filters and aliases, by their log."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from streams.adapt.base import NO_OPTIONS

PROVIDERS = load_providers()
NOW_MS = int(datetime(2025, 3, 3, 12, tzinfo=UTC).timestamp() * 1000)
FIRST, SECOND, THIRD = "4XyQ1z3vBKzJr1", "4XyQ1z3vBKzJr2", "4XyQ1z3vBKzJr3"
OUT = "relay=mx.example.org[192.0.2.4]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"


def line(service: str, text: str) -> str:
    return f"2025-03-03T10:11:12+00:00 mx1 postfix/{service}[811]: {text}"


def read(lines: Sequence[str], options: FormatOptions = NO_OPTIONS) -> list[MailEvent]:
    return adapter("postfix")(
        "\n".join(lines).encode(), Context(b"a key", PROVIDERS, {"postfix": options}, clock=lambda: NOW_MS)
    )


def came_in(queue_id: str, client: str, message_id: str = "m1@acme.example") -> list[str]:
    """What is logged when mail is queued."""
    return [
        line("smtpd", f"{queue_id}: client={client}"),
        *([line("cleanup", f"{queue_id}: message-id=<{message_id}>")] if message_id else []),
        line("qmgr", f"{queue_id}: from=<bounce@shop.example>, size=1200, nrcpt=1 (queue active)"),
    ]


def picked_up(queue_id: str, message_id: str = "m1@acme.example") -> list[str]:
    return [
        line("pickup", f"{queue_id}: uid=1001 from=<bounce@shop.example>"),
        *([line("cleanup", f"{queue_id}: message-id=<{message_id}>")] if message_id else []),
    ]


def went_to(queue_id: str, relay: str, said: str, service: str = "smtp", to: str = "iris@example.org") -> str:
    return line(
        service, f"{queue_id}: to=<{to}>, relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent ({said})"
    )


def went_out(queue_id: str, to: str = "iris@example.org") -> str:
    return line("smtp", f"{queue_id}: to=<{to}>, {OUT}")


SUBMITTED = came_in(FIRST, "app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme")
REMOVED = line("qmgr", f"{FIRST}: removed")
HERE = "127.0.0.1[127.0.0.1]:10024"
AMAVIS = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {SECOND}"

#: Two passes of one mail, by what ties them together.
PASSES: dict[str, list[str]] = {
    "XFORWARD": [
        *came_in(SECOND, f"localhost[127.0.0.1], orig_queue_id={FIRST}, orig_client=app[192.0.2.9]", "other@x.example"),
        went_to(FIRST, HERE, "250 2.0.0 Ok"),
    ],
    "XFORWARD, a filter that sends from another private address": [
        *came_in(SECOND, f"filter[10.0.0.8], orig_queue_id={FIRST}, orig_client=app[192.0.2.9]", "other@x.example"),
        went_to(FIRST, "filter[10.0.0.7]:10024", "250 2.0.0 Ok"),
    ],
    "XFORWARD, a filter elsewhere at a port that is none for mail": [
        *came_in(SECOND, f"filter[192.0.2.78], orig_queue_id={FIRST}, orig_client=app[192.0.2.9]", "other@x.example"),
        went_to(FIRST, "filter[192.0.2.77]:10024", "250 2.0.0 Ok"),
    ],
    "the reply, this host": [*came_in(SECOND, "localhost[127.0.0.1]"), went_to(FIRST, HERE, AMAVIS)],
    "the reply, a container": [
        *came_in(SECOND, "amavis[172.18.0.5]"), went_to(FIRST, "amavis[172.18.0.5]:10024", AMAVIS),
    ],
    "the reply, a host elsewhere that changes the message id": [
        *came_in(SECOND, "out[192.0.2.78]", "other@x.example"), went_to(FIRST, "filter[192.0.2.77]:25", AMAVIS),
    ],
    "the reply, second pass already gone": [
        *came_in(SECOND, "localhost[127.0.0.1]"),
        went_out(SECOND), line("qmgr", f"{SECOND}: removed"),
        went_to(FIRST, "filter[192.0.2.77]:10024", AMAVIS), REMOVED,
    ],
    "the reply, BDAT": [
        *came_in(SECOND, "localhost[127.0.0.1]"),
        went_to(FIRST, "filter[192.0.2.77]:10024", f"250 2.0.0 Ok: 12 bytes queued as {SECOND}"),
    ],
    "LMTP to a filter": [*came_in(SECOND, "localhost[127.0.0.1]"), went_to(FIRST, HERE, AMAVIS, "lmtp")],
    "the message id, from whom it was given to": [
        *came_in(SECOND, "filter[192.0.2.77]"), went_to(FIRST, "filter[192.0.2.77]:10024", "250 Ok"),
    ],
    "pipe and sendmail, the message id": [
        *picked_up(SECOND), went_to(FIRST, "spamassassin", "delivered via spamassassin service", "pipe"),
    ],
    "pipe and sendmail, first pass already gone": [
        went_to(FIRST, "spamassassin", "delivered via spamassassin service", "pipe"), REMOVED, *picked_up(SECOND),
    ],
    "pipe and sendmail, the sender": [
        *picked_up(SECOND, ""), went_to(FIRST, "spamassassin", "delivered via spamassassin service", "pipe"), REMOVED,
    ],
    "pipe and SMTP, the sender": [
        *came_in(SECOND, "localhost[127.0.0.1]", ""),
        went_to(FIRST, "spamassassin", "delivered via spamassassin service", "pipe"), REMOVED,
    ],
    "an alias": [*picked_up(SECOND, ""), went_to(FIRST, "local", f"forwarded as {SECOND}", "local"), REMOVED],
    "an alias, told first": [
        went_to(FIRST, "local", f"forwarded as {SECOND}", "local"), REMOVED,
        line("qmgr", f"{SECOND}: from=<bounce@shop.example>, size=1200, nrcpt=1 (queue active)"),
    ],
    "queued again": [
        line("postsuper", f"{FIRST}: requeued"),
        line("pickup", f"{SECOND}: uid=89 from=<bounce@shop.example> orig_id={FIRST}"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("tie", PASSES)
def test_last_pass_counts_for_who_logged_in_at_the_first(tie: str) -> None:
    second = [] if went_out(SECOND) in PASSES[tie] else [went_out(SECOND)]
    events = read([*SUBMITTED, *PASSES[tie], *second])
    assert [(event.type, event.customer, event.mx_host) for event in events] == [
        ("delivered", "acme", "mx.example.org")
    ]


def test_header_field_that_only_the_first_pass_logged_names_the_customer() -> None:
    header = line("cleanup", f"{FIRST}: info: header X-Customer: acme from app[192.0.2.9]; from=<b@shop.example>")
    passes = PASSES["the reply, a container"]
    (event,) = read([*SUBMITTED, header, *passes, went_out(SECOND)], FormatOptions(customer="header.X-Customer"))
    assert event.customer == "acme"


@pytest.mark.parametrize("login", ["acme team", "<acme team>"])
def test_filter_before_the_queue_tells_the_login_with_its_reply(login: str) -> None:
    """`smtpd_proxy_filter`: the session that the customer logged in to has no queue id."""
    accepted = line("smtpd", f"proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as {SECOND}; from=<b@shop.example>"
                    " to=<iris@example.org> proto=ESMTP helo=<app> sasl_method=PLAIN"
                    f" sasl_username={login}")  # fmt: skip
    events = read([*came_in(SECOND, "localhost[127.0.0.1]"), accepted, went_out(SECOND)])
    assert [event.customer for event in events] == ["acme team"]


def test_relay_that_gave_mail_back_is_known_as_a_filter() -> None:
    """What it keeps, and what it could not take, is no delivery and no deferral of a customer."""
    filter_ = "filter[192.0.2.77]:10024"
    first = [*SUBMITTED, *came_in(SECOND, "out[192.0.2.78]"), went_to(FIRST, filter_, AMAVIS), went_out(SECOND)]
    kept = went_to(THIRD, filter_, "250 2.7.0 Ok, discarded, id=23-01 - spam")
    busy = kept.replace(
        "status=sent (250 2.7.0 Ok, discarded, id=23-01 - spam)", "status=deferred (host said: 451 4.5.0)"
    )
    gone = busy.replace(filter_, "none").replace("host said: 451", "connect to filter[192.0.2.77]:10024: refused")
    third = came_in(THIRD, "app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme", "m2@acme.example")
    assert [event.type for event in read([*first, *third, busy, gone, kept])] == ["delivered"]
    other = went_to(THIRD, "filter[192.0.2.77]:25", "250 2.0.0 Ok")
    assert [event.type for event in read([*first, *third, other])] == ["delivered", "delivered"]


@pytest.mark.parametrize(("port", "counted"), [("25", 1), ("10024", 0)])
def test_filter_that_discards_at_the_port_of_mail_servers_has_to_be_named(port: str, counted: int) -> None:
    """Nothing tells it from a smarthost that delivers: other mail came back from it, and may from a smarthost too."""
    relay = f"scan.example.net[10.0.0.7]:{port}"
    lines = [
        *SUBMITTED, went_to(FIRST, relay, "250 2.0.0 Ok"), REMOVED,
        *came_in(SECOND, "scan.example.net[10.0.0.7]"), went_out(SECOND),
        *came_in(THIRD, "app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme", "m3@acme.example"),
        went_to(THIRD, relay, "250 2.0.0 Ok, and then discarded", to="otto@example.org"),
    ]  # fmt: skip
    discarded = [event for event in read(lines) if event.message_id == "m3@acme.example"]
    assert len(discarded) == counted
    assert not [each for each in read(lines, FormatOptions(filters=frozenset({"10.0.0.7"}))) if each in discarded]


def test_mail_that_a_filter_splits_is_an_event_for_each_recipient() -> None:
    passes = [*came_in(SECOND, "localhost[127.0.0.1]"), *came_in(THIRD, "localhost[127.0.0.1]")]
    given = [went_to(FIRST, "filter[192.0.2.77]:10024", AMAVIS.replace(SECOND, each)) for each in (SECOND, THIRD)]
    events = read([*SUBMITTED, *passes, *given, went_out(SECOND, "a@x.example"), went_out(THIRD, "b@x.example")])
    assert [(event.recipient_domain, event.customer) for event in events] == [("x.example", "acme")] * 2


def test_two_filters_one_after_the_other() -> None:
    second = [*came_in(SECOND, "localhost[127.0.0.1]"), went_to(FIRST, HERE, AMAVIS)]
    third = [
        *came_in(THIRD, "filter[192.0.2.77]"),
        went_to(SECOND, "filter[192.0.2.77]:10026", f"250 Ok: queued as {THIRD}"),
    ]
    events = read([*SUBMITTED, *second, *third, went_out(THIRD)])
    assert [(event.type, event.customer) for event in events] == [("delivered", "acme")]


def test_second_pass_that_is_refused_outside_is_one_bounce() -> None:
    refused = line("smtp", f"{SECOND}: to=<iris@example.org>, relay=mx.example.org[192.0.2.4]:25, delay=1, dsn=5.1.1,"
                   " status=bounced (host mx.example.org[192.0.2.4] said: 550 5.1.1 unknown)")  # fmt: skip
    events = read([*SUBMITTED, *PASSES["the reply, a container"], refused])
    assert [(event.type, event.customer) for event in events] == [("bounced", "acme")]


def test_notification_through_a_filter_gives_no_event() -> None:
    notice = [
        line("bounce", f"{THIRD}: sender non-delivery notification: {FIRST}"),
        line("qmgr", f"{FIRST}: from=<>, size=9"),
    ]
    second = [each.replace("bounce@shop.example", "") for each in came_in(SECOND, "localhost[127.0.0.1]")]
    passed = went_to(FIRST, HERE, AMAVIS)
    assert read([*notice, *second, passed, went_out(SECOND)], FormatOptions(default_customer="house")) == []


def test_same_message_id_from_outside_is_mail_of_its_own() -> None:
    """A list that sends a copy back, or somebody who writes the same id."""
    other = came_in(SECOND, "list[192.0.2.200]")
    events = read([*SUBMITTED, went_out(FIRST), *other, went_out(SECOND)])
    assert [event.customer for event in events] == ["acme", "shop.example"]


def test_own_login_is_not_replaced() -> None:
    other = came_in(SECOND, "app[192.0.2.10], sasl_method=PLAIN, sasl_username=other")
    events = read([*SUBMITTED, *other, went_out(SECOND), went_out(FIRST)])
    assert [event.customer for event in events] == ["other", "acme"]


def test_reply_with_a_queue_id_of_another_server_is_a_delivery() -> None:
    (event,) = read([*SUBMITTED, went_to(FIRST, "mx.example.org[192.0.2.4]:25", f"250 2.0.0 Ok: queued as {THIRD}")])
    assert event.type == "delivered"


# --- relays that the operator names ---

STUNNEL = [*SUBMITTED, went_to(FIRST, "127.0.0.1[127.0.0.1]:10465", "250 2.0.0 Ok: queued as 1A2B3C4D5E")]
ELSEWHERE = [*SUBMITTED, went_to(FIRST, "Amavis.example.net[192.0.2.77]:10024", "250 2.0.0 Ok")]


@pytest.mark.parametrize(
    ("lines", "options", "events"),
    [
        (STUNNEL, FormatOptions(), 0),
        (STUNNEL, FormatOptions(smarthosts=frozenset({"127.0.0.1"})), 1),
        (STUNNEL, FormatOptions(smarthosts=frozenset({"127.0.0.1:10465"})), 1),
        (STUNNEL, FormatOptions(smarthosts=frozenset({"[127.0.0.1]:10465"})), 1),
        (STUNNEL, FormatOptions(smarthosts=frozenset({"127.0.0.1:587"})), 0),
        (STUNNEL, FormatOptions(smarthosts=frozenset({"127.0.0.1"}), filters=frozenset({"127.0.0.1:10465"})), 0),
        (STUNNEL, FormatOptions(filters=frozenset({"127.0.0.1"}), smarthosts=frozenset({"127.0.0.1:10465"})), 1),
        (ELSEWHERE, FormatOptions(), 1),
        (ELSEWHERE, FormatOptions(filters=frozenset({"amavis.example.net"})), 0),
        (ELSEWHERE, FormatOptions(filters=frozenset({"192.0.2.77:10024"})), 0),
        (ELSEWHERE, FormatOptions(filters=frozenset({"192.0.2.77:25"})), 1),
        (
            [*SUBMITTED, went_to(FIRST, "msmtp", "delivered via msmtp service", "pipe")],
            FormatOptions(smarthosts=frozenset({"msmtp"})),
            1,
        ),
    ],
)
def test_relay_is_a_filter_or_a_smarthost_as_the_options_say(
    lines: list[str], options: FormatOptions, events: int
) -> None:
    assert len(read(lines, options)) == events


def test_what_a_smarthost_on_this_host_gives_back_to_us_is_still_counted_once() -> None:
    signer = FormatOptions(smarthosts=frozenset({"127.0.0.1"}))
    events = read([*SUBMITTED, *PASSES["the reply, this host"], went_out(SECOND)], signer)
    assert [event.mx_host for event in events] == ["mx.example.org"]
