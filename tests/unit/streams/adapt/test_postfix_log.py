"""Lines of Postfix together: whose mail it is, what earlier ones tell of later ones, and the forms they have."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.adapt import AdaptError, Context, FormatOptions, postfix_queue
from streams.adapt.postfix import Journal
from streams.adapt.syslog import read_line
from tests.support.postfix_lines import ABOUT, GOOGLE, ID, KEY, NOW, PROVIDERS, SENT, context, line, ms, read, said

DELIVERY = line(f"{ID}: {SENT}", name="postfix-eu")


@pytest.mark.parametrize(
    ("place", "customer"),
    [
        ("", "acme"),
        ("sasl_username", "acme"),
        ("sender", "mail.acme.example"),
        ("header.X-Customer", "Acme Ltd"),
        ("header.x-customer", "Acme Ltd"),
        ("instance", "postfix-eu"),
        ("host", "mx1"),
    ],
)
def test_customer_comes_from_the_place_that_is_configured(place: str, customer: str) -> None:
    (event,) = read(*ABOUT, DELIVERY, options=FormatOptions(customer=place))
    assert event.customer == customer
    assert (event.message_id, event.from_domain) == ("weekly-44@acme.example", "mail.acme.example")


def test_customer_is_the_sender_where_nobody_logged_in() -> None:
    assert read(*ABOUT[1:], DELIVERY, options=FormatOptions())[0].customer == "mail.acme.example"


def test_local_message_has_the_sender_that_pickup_logs() -> None:
    pickup = line(f"{ID}: uid=33 from=<www@acme.example>", "pickup")
    assert read(pickup, DELIVERY, options=FormatOptions())[0].customer == "acme.example"


def test_stream_and_pool_come_from_the_places_that_are_configured() -> None:
    (event,) = read(*ABOUT, DELIVERY, options=FormatOptions(stream="instance", pool="host"))
    assert (event.stream, event.ip_pool) == ("postfix-eu", "mx1")


def test_header_logged_with_two_values_accuses_nobody() -> None:
    forged = ABOUT[1].replace("Acme Ltd", "somebody else")
    with pytest.raises(AdaptError, match=r"line 6: message 4XyQ1z3vBKzJrT: no value at `header\.X-Customer`"):
        read(*ABOUT, forged, DELIVERY, options=FormatOptions(customer="header.X-Customer"))


def test_header_cannot_pose_as_a_login() -> None:
    forged = line(
        f"{ID}: info: header Subject: x sasl_username=victim from app[192.0.2.9]; from=<n@x.example>", "cleanup"
    )
    assert read(*ABOUT, forged, DELIVERY, options=FormatOptions())[0].customer == "acme"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FormatOptions(), "message 4XyQ1z3vBKzJrT: no login and no envelope sender is known, and no default customer"),
        (FormatOptions(customer="sasl_username"), "no value at `sasl_username`, and no default customer"),
        (FormatOptions(customer="tenant"), "the option `tenant` is not a place in Postfix lines"),
    ],
)
def test_no_customer_is_an_error_that_names_message_and_place(options: FormatOptions, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        read(DELIVERY, options=options)


EXPIRED = line(f"{ID}: from=<bounce@mail.acme.example>, status=expired, returned to sender", "qmgr")


def test_message_that_expires_has_an_event_for_each_recipient_that_was_deferred_last() -> None:
    def to(address: str, status: str) -> str:
        return line(f"{ID}: to=<{address}>, {GOOGLE}, delay=1, {status}")

    events = read(
        to("iris@gmail.com", "dsn=4.2.2, status=deferred (452 4.2.2 full)"),
        to("juno@x.example", "dsn=4.2.2, status=deferred (452 4.2.2 full)"),
        to("juno@x.example", "dsn=2.0.0, status=sent (250 ok)"),
        to("kai@y.example", "dsn=4.2.2, status=deferred (452 4.2.2 full)"),
        EXPIRED,
    )
    expired = [event.recipient_domain for event in events if event.type == "expired"]
    assert expired == ["gmail.com", "y.example"]
    assert len({event.id for event in events}) == len(events)


def test_expiry_carries_the_last_reply_of_each_recipient() -> None:
    def to(address: str, said: str) -> str:
        return line(f"{ID}: to=<{address}>, {GOOGLE}, delay=1, dsn=4.7.0, status=deferred ({said})")

    refused = "host gmail-smtp-in.l.google.com[192.0.2.26] said: 421 4.7.0 unsolicited mail from your IP address"
    events = read(
        to("iris@gmail.com", "450 4.2.0 later"),
        to("juno@x.example", "connect to x.example[192.0.2.1]:25: Connection timed out"),
        *(to("iris@gmail.com", refused),) * 16,
        to("iris@gmail.com", "lost connection with gmail-smtp-in.l.google.com[192.0.2.26] while sending RCPT TO"),
        EXPIRED,
    )
    expired = [event for event in events if event.type == "expired"]
    assert [(event.smtp_code, event.enhanced_status, event.diagnostic) for event in expired] == [
        (421, "4.7.0", refused),
        (0, "4.7.0", "connect to x.example[192.0.2.1]:25: Connection timed out"),
    ]
    assert expired[0].mx_host == "gmail-smtp-in.l.google.com"


def test_mail_that_an_operator_deletes_may_be_on_its_way() -> None:
    deleted = line(f"{ID}: removed", "postsuper")
    assert read(*ABOUT, deleted, DELIVERY, options=FormatOptions())[0].customer == "acme"


def test_queue_id_that_is_given_again_is_of_another_message() -> None:
    again = ABOUT[0].replace(", sasl_method=PLAIN, sasl_username=acme", "")
    other = line(f"{ID}: from=<b@other.example>, size=1, nrcpt=1 (queue active)", "qmgr")
    assert read(*ABOUT, again, other, DELIVERY, options=FormatOptions())[0].customer == "other.example"


def test_other_sender_or_message_id_with_a_queue_id_is_of_another_message() -> None:
    """Short ids come again within days. A log may have neither the end of one message nor the begin of the other."""
    other = line(f"{ID}: from=<b@other.example>, size=1, nrcpt=1 (queue active)", "qmgr")
    assert [each.customer for each in read(*ABOUT, DELIVERY, other, DELIVERY, options=FormatOptions())] == [
        "acme", "other.example",
    ]  # fmt: skip
    notice = line(f"{ID}: from=<>, size=1, nrcpt=1 (queue active)", "qmgr")
    assert len(read(*ABOUT, DELIVERY, notice, DELIVERY)) == 1
    named = line(f"{ID}: message-id=<7@other.example>", "cleanup")
    assert read(*ABOUT, named, other, DELIVERY, options=FormatOptions())[0].message_id == "7@other.example"


def test_sender_that_is_rewritten_after_it_was_picked_up_is_of_the_same_message() -> None:
    pickup = line(f"{ID}: uid=33 from=<www>", "pickup")
    header = line(f"{ID}: info: header X-Customer: Acme Ltd from local; from=<www>", "cleanup")
    queued = line(f"{ID}: from=<www@acme.example>, size=1, nrcpt=1 (queue active)", "qmgr")
    options = FormatOptions(customer="header.X-Customer")
    assert read(pickup, header, queued, DELIVERY, options=options)[0].customer == "Acme Ltd"


def test_same_queue_id_on_two_hosts_is_of_two_messages() -> None:
    other = [each.replace(" mx1 ", " mx2 ").replace("acme", "other") for each in (ABOUT[0], ABOUT[3])]
    assert [
        each.customer
        for each in read(*ABOUT, *other, DELIVERY, DELIVERY.replace(" mx1 ", " mx2 "), options=FormatOptions())
    ] == ["acme", "other"]


@pytest.mark.parametrize("status", ["expired", "force-expired"])
def test_message_that_expires_without_known_recipients_has_one_event(status: str) -> None:
    (event,) = read(EXPIRED.replace("=expired", f"={status}"), options=FormatOptions())
    assert (event.type, event.recipient_domain, event.customer) == ("expired", "", "mail.acme.example")


def test_journal_remembers_from_message_to_message_until_the_queue_id_is_free() -> None:
    journal = Journal()
    for each in ABOUT:
        assert journal.adapt(each.encode(), context(FormatOptions())) == []
    assert journal.adapt(DELIVERY.encode(), context(FormatOptions()))[0].customer == "acme"
    journal.adapt(line(f"{ID}: removed", "qmgr").encode(), context(FormatOptions()))
    with pytest.raises(AdaptError, match="no envelope sender is known"):
        journal.adapt(DELIVERY.encode(), context(FormatOptions()))


def test_journal_forgets_the_oldest_messages_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postfix_queue, "MAX_MESSAGES", 2)
    journal = Journal()
    for queue_id in ("AAAAA1", "AAAAA2", "AAAAA3"):
        journal.adapt(line(f"{queue_id}: from=<a@b.example>, size=1", "qmgr").encode(), context())
    assert journal.adapt(line(f"AAAAA3: {SENT}").encode(), context(FormatOptions()))[0].customer == "b.example"
    with pytest.raises(AdaptError):
        journal.adapt(line(f"AAAAA1: {SENT}").encode(), context(FormatOptions()))


# --- forms of the line ---


@pytest.mark.parametrize(
    "text",
    [
        "Mar  3 10:11:12 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "<22>Mar  3 10:11:12 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "Mar 03 10:11:12.000 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "2025-03-03T10:11:12+00:00 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "2025-03-03T11:11:12.000000+01:00 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "2025-03-03 10:11:12 mx1 postfix/smtp[811]: AB12C: to=<a@b.example>, status=sent (250 ok)",
        "<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - - AB12C: to=<a@b.example>, status=sent (250 ok)",
        '<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - [x@1 y="z"] AB12C: to=<a@b.example>, status=sent (250 ok)',
        "<22>1 2025-03-03T10:11:12Z mx1 postfix/smtp 811 - - \ufeffAB12C: to=<a@b.example>, status=sent (250 ok)\r",
    ],
)
def test_lines_of_every_kind_of_system_log_are_read(text: str) -> None:
    (event,) = read(text)
    assert (event.type, event.time_ms) == ("delivered", ms(datetime(2025, 3, 3, 10, 11, 12, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("written", "now", "expected"),
    [
        ("Mar  3 10:00:00", datetime(2025, 3, 3, 12, tzinfo=UTC), datetime(2025, 3, 3, 10, tzinfo=UTC)),
        ("Dec 31 23:59:59", datetime(2025, 1, 1, 0, 5, tzinfo=UTC), datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Mar  4 09:00:00", datetime(2025, 3, 3, 12, tzinfo=UTC), datetime(2025, 3, 4, 9, tzinfo=UTC)),
        ("Mar  4 13:00:00", datetime(2025, 3, 3, 12, tzinfo=UTC), datetime(2024, 3, 4, 13, tzinfo=UTC)),
        ("Jan  1 00:30:00", datetime(2024, 12, 31, 23, 50, tzinfo=UTC), datetime(2025, 1, 1, 0, 30, tzinfo=UTC)),
        ("Feb 29 10:00:00", datetime(2025, 3, 3, 12, tzinfo=UTC), datetime(2024, 2, 29, 10, tzinfo=UTC)),
    ],
)
def test_year_is_the_latest_in_which_the_line_is_not_of_the_future(
    written: str, now: datetime, expected: datetime
) -> None:
    assert read(f"{written} mx1 postfix/smtp[8]: {ID}: {SENT}", now=now)[0].time_ms == ms(expected)


def test_times_without_an_offset_are_of_the_configured_zone() -> None:
    options = FormatOptions(default_customer="house", time_zone=ZoneInfo("Europe/Berlin"))
    for written in ("Mar  3 10:11:12", "2025-03-03T10:11:12"):
        (event,) = read(f"{written} mx1 postfix/smtp[8]: {ID}: {SENT}", options=options)
        assert event.time_ms == ms(datetime(2025, 3, 3, 9, 11, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the message is empty"),
        ("hello", "'hello' does not begin like a line of a system log"),
        ("Foo  3 10:11:12 mx1 postfix/smtp[8]: x", "the time 'Foo 3 10:11:12' is not a time"),
        ("Feb 30 10:11:12 mx1 postfix/smtp[8]: x", "the time 'Feb 30 10:11:12' is not a time"),
        ("2025-13-03T10:11:12Z mx1 postfix/smtp[8]: x", "the time '2025-13-03T10:11:12Z' is not RFC 3339"),
        ("<22>1 - mx1 postfix/smtp 811 - - x", "the time '-' is not RFC 3339"),
        (f"{DELIVERY}\nhello", "line 2: 'hello' does not begin"),
    ],
)
def test_what_is_no_line_of_a_system_log_is_refused(text: str, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        read(text)


def test_time_without_a_year_needs_the_time_now() -> None:
    with pytest.raises(AdaptError, match="has no year, and the time now is not known"):
        read_line("Mar  3 10:11:12 mx1 postfix/smtp[8]: x", UTC, None)


def test_line_that_comes_twice_has_the_same_id() -> None:
    assert read(DELIVERY)[0].id == read(DELIVERY)[0].id != said(SENT.replace("iris", "juno"))[0].id


def test_message_was_sent_when_it_came_in_whatever_became_of_it() -> None:
    """All outcomes of a queue id have the very same time, though each delay is rounded."""

    def to(address: str, delay: str, status: str, at: str) -> str:
        return line(f"{ID}: to=<{address}>, {GOOGLE}, delay={delay}, {status}", at=at)

    events = read(
        to("iris@gmail.com", "2.5", "dsn=2.0.0, status=sent (250 ok)", "2025-03-03T10:11:12.5+01:00"),
        to("kai@y.example", "3.1", "dsn=4.2.2, status=deferred (452 4.2.2 full)", "2025-03-03T10:11:13.2+01:00"),
        EXPIRED,
    )
    assert {event.sent for event in events} == {ms(datetime(2025, 3, 3, 9, 11, 10, tzinfo=UTC))}
    assert [event.type for event in events] == ["delivered", "deferred", "expired"]


def test_nul_that_was_remembered_of_an_earlier_line_is_refused_in_a_later_one() -> None:
    journal = Journal()
    lines = (
        "Mar  3 09:11:11 mx1 postfix/qmgr[9]: AB12C3: from=<b@acme.example>, size=9, nrcpt=1 (queue active)",
        "Mar  3 09:11:12 mx1 postfix/smtp[9]: AB12C3: to=<iris@x\0.example>, relay=none, status=deferred (x)",
        "Mar  3 09:11:13 mx1 postfix/qmgr[9]: AB12C3: from=<b@acme.example>, status=expired, returned to sender",
    )
    journal.adapt(lines[0].encode(), Context(KEY, PROVIDERS, clock=lambda: ms(NOW)))
    for each in lines[1:]:
        with pytest.raises(AdaptError, match="NUL"):
            journal.adapt(each.encode(), Context(KEY, PROVIDERS, clock=lambda: ms(NOW)))


@pytest.mark.parametrize("tag", ["mail[7]", "mail/0123456789ab[7]"])
def test_what_a_container_wrote_without_a_time_is_read_behind_the_tag_of_docker(tag: str) -> None:
    head = f"2025-03-03T10:11:12+01:00 mx1 {tag}: postfix"
    (event,) = read(
        f"{head}/smtpd[9]: {ID}: client=a[192.0.2.1], sasl_method=PLAIN, sasl_username=acme",
        f"{head}/smtp[811]: {ID}: {SENT}",
    )
    assert (event.type, event.customer, event.provider) == ("delivered", "acme", "gmail")
