"""Postfix log lines."""

from datetime import UTC, datetime

import pytest

from schemas.event import MailEvent
from streams.adapt import FormatOptions
from streams.adapt.canonical import hash_recipient
from tests.support.postfix_lines import ABOUT, GOOGLE, HOUSE, ID, KEY, SENT, TO, line, ms, read, said


def test_delivery_with_all_that_it_tells() -> None:
    (event,) = said(SENT)
    assert (event.type, event.time_ms) == ("delivered", ms(datetime(2025, 3, 3, 9, 11, 12, 500_000, tzinfo=UTC)))
    assert (event.customer, event.message_id, event.recipient) == ("house", ID, "")
    assert event.recipient_hash == hash_recipient("iris@gmail.com", KEY)
    assert (event.provider, event.mx_host) == ("gmail", "gmail-smtp-in.l.google.com")
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK gsmtp")


@pytest.mark.parametrize(
    ("status", "kind", "code", "enhanced"),
    [
        ("dsn=2.0.0, status=sent (250 ok)", "delivered", 250, "2.0.0"),
        (
            "dsn=4.7.0, status=deferred (host a[192.0.2.1] said: 421 4.7.0 slow (in reply to X))",
            "deferred",
            421,
            "4.7.0",
        ),
        ("dsn=4.4.1, status=deferred (connect to a[192.0.2.1]:25: Connection timed out)", "deferred", 0, "4.4.1"),
        (
            "dsn=5.1.1, status=bounced (host a[192.0.2.1] said: 550-5.1.1 gone (in reply to RCPT))",
            "bounced",
            550,
            "5.1.1",
        ),
        ("dsn=5.4.4, status=bounced (Host or domain name not found)", "bounced", 0, "5.4.4"),
        ("dsn=4.0.0, status=expired (unable to deliver in time)", "expired", 0, "4.0.0"),
        ("dsn=5.0.0, status=SOFTBOUNCE (unknown user)", "deferred", 0, "5.0.0"),
        ("status=sent (250 2.1.5 old Postfix without dsn)", "delivered", 250, "2.1.5"),
        ("dsn=5.1.1, status=bounced (cut off by the log", "bounced", 0, "5.1.1"),
    ],
)
def test_status_tells_the_type(status: str, kind: str, code: int, enhanced: str) -> None:
    (event,) = said(f"to=<iris@gmail.com>, {GOOGLE}, delay=1, {status}")
    assert (event.type, event.smtp_code, event.enhanced_status) == (kind, code, enhanced)


@pytest.mark.parametrize(
    ("service", "text", "mx_host"),
    [
        ("relay/smtp", SENT, "gmail-smtp-in.l.google.com"),
        ("error", "to=<iris@x.example>, relay=none, delay=1, dsn=4.4.1, status=deferred (suspended)", ""),
        ("bounce", "to=<iris@x.example>, relay=none, delay=1, dsn=5.4.6, status=bounced (mail loops)", ""),
    ],
)
def test_lines_of_every_delivery_agent_are_read(service: str, text: str, mx_host: str) -> None:
    (event,) = said(text, service)
    assert event.mx_host == mx_host


@pytest.mark.parametrize(
    ("service", "text"),
    [
        ("smtpd", "connect from mail.x.example[192.0.2.4]"),
        ("smtpd", "NOQUEUE: reject: RCPT from x[192.0.2.4]: 550 5.7.1 no; from=<a@b.example> to=<c@d.example>"),
        ("smtpd", f"{ID}: client=mail.x.example[192.0.2.4]"),
        ("cleanup", f"{ID}: message-id=<m1@x.example>"),
        ("qmgr", f"{ID}: from=<a@b.example>, size=1200, nrcpt=1 (queue active)"),
        ("qmgr", f"{ID}: removed"),
        ("bounce", f"{ID}: sender non-delivery notification: 4XyQ2z3vBKzJrT"),
        ("smtp", f"{ID}: host x[192.0.2.4] said: 450 4.2.0 later (in reply to RCPT TO command)"),
        ("smtp", f"{TO}, relay=x[192.0.2.4]:25, delay=1, dsn=2.1.5, status=deliverable (ok)"),
        ("smtp", f"{TO}, relay=x[192.0.2.4]:25, delay=1, dsn=5.1.1, status=undeliverable (no)"),
        ("discard", f"{TO}, relay=none, delay=1, dsn=2.0.0, status=sent (b.example)"),
        ("lmtp", f"{TO}, relay=127.0.0.1[127.0.0.1]:10024, delay=1, dsn=2.0.0, status=sent (250 ok)"),
        ("smtp", f"{TO}, relay=x[::1]:10024, delay=1, dsn=2.0.0, status=sent (250 ok)"),
        ("local", f"{TO}, relay=local, delay=1, dsn=2.0.0, status=sent (forwarded as 0A1B2C3D4E)"),
        ("local", f"{TO}, relay=local, delay=1, dsn=2.0.0, status=sent (delivered to mailbox)"),
        ("local", f'{ID}: to=<a@b.example>, relay=local, delay=1, dsn=5.1.1, status=bounced (unknown user: "a")'),
        ("virtual", f"{TO}, relay=virtual, delay=1, dsn=2.0.0, status=sent (delivered to maildir)"),
        ("virtual", f"{TO}, relay=virtual, delay=1, dsn=4.2.2, status=deferred (over quota)"),
        ("lmtp", f"{TO}, relay=x[private/lmtp], delay=1, dsn=2.0.0, status=sent (250 2.0.0 Saved)"),
        ("lmtp", f"{TO}, relay=x[/run/lmtp], delay=1, dsn=5.2.2, status=bounced (552 5.2.2 full)"),
        ("lmtp", f"{TO}, relay=dovecot[10.0.0.7]:24, delay=1, dsn=2.0.0, status=sent (250 2.0.0 ok)"),
        ("lmtp", f"{TO}, relay=dovecot[10.0.0.7]:24, delay=1, dsn=5.1.1, status=bounced (550 no)"),
        (
            "pipe",
            f"{TO}, relay=dovecot, delay=1, dsn=2.0.0, status=sent (delivered via dovecot service)",
        ),
        ("pipe", f"{TO}, relay=maildrop, delay=1, dsn=5.1.1, status=bounced (user unknown)"),
        (
            "smtp",
            f"{TO}, relay=x[192.0.2.4]:25, delay=1, dsn=5.1.1, status=undeliverable-but-not-cached (no)",
        ),
        (
            "smtp",
            f"{TO}, relay=127.0.0.1[127.0.0.1]:10024, delay=1, dsn=4.3.0, status=deferred (451 busy)",
        ),
        (
            "smtp",
            f"{TO}, relay=none, delay=1, dsn=4.4.1, status=deferred (connect to f[127.0.0.1]:10024: refused)",
        ),
        ("anvil", "statistics: max connection rate 1/60s for (smtp:192.0.2.4) at Mar  3 10:11:12"),
    ],
)
def test_lines_that_tell_no_fate_give_no_event(service: str, text: str) -> None:
    assert read(line(text, service)) == []


def test_lines_of_other_programs_give_no_event() -> None:
    assert read("Mar  3 10:11:12 mx1 sshd[5]: 4XyQ1z3vBKzJrT: to=<a@b.example>, status=sent (ok)") == []


def test_content_filter_that_refuses_is_heard() -> None:
    (event,) = said("to=<a@b.example>, relay=127.0.0.1[127.0.0.1]:10024, dsn=5.7.0, status=bounced (554 5.7.0 spam)")
    assert event.type == "bounced"


def aliased(*pairs: tuple[str, str]) -> list[MailEvent]:
    return read(
        *(
            line(f"{ID}: to=<{to}>, orig_to=<{before}>, {GOOGLE}, delay=1, dsn=2.0.0, status=sent (250 ok)")
            for to, before in pairs
        )
    )


def test_recipients_of_an_alias_are_an_event_each_by_whose_mailbox_it_is() -> None:
    events = aliased(
        ("a@gmail.com", "list@shop.example"), ("b@gmail.com", "list@shop.example"), ("c@x.example", "list")
    )
    assert [event.recipient_domain for event in events] == ["gmail.com", "gmail.com", "x.example"]
    assert len({event.id for event in events}) == len(events)


def test_recipient_of_two_aliases_is_an_event_each() -> None:
    first, second = aliased(("a@gmail.com", "list@shop.example"), ("a@gmail.com", "sales@shop.example"))
    assert first.id != second.id
    assert first.recipient_hash == second.recipient_hash


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ('"a>b"@x.example', "x.example"),
        ('"a, b"@x.example', "x.example"),
        ('"a b c"@x.example', "x.example"),
        ('"a\\"b>, relay=evil[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250"@x.example', "x.example"),
        ("a>b c@x.example", "x.example"),
        ('a"b@x.example', "x.example"),
        ("üml@bücher.example", "xn--bcher-kva.example"),
        ("a@[192.0.2.9]", "[192.0.2.9]"),
    ],
)
def test_addresses_of_every_kind_are_read_whole(written: str, domain: str) -> None:
    (event,) = said(f"to=<{written}>, {GOOGLE}, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (550 5.1.1 no)")
    assert (event.type, event.recipient_domain) == ("bounced", domain)
    assert event.recipient_hash == hash_recipient(written, KEY)


def test_customer_by_the_senders_domain_is_one_in_either_form_of_it() -> None:
    for domain in ("bücher.example", "BÜCHER.example.", "xn--bcher-kva.example"):
        sender = line(f"{ID}: from=<b@{domain}>, size=9, nrcpt=1 (queue active)", "qmgr")
        (event,) = read(sender, line(f"{ID}: {SENT}"), options=FormatOptions())
        assert (event.customer, event.from_domain) == ("xn--bcher-kva.example", "xn--bcher-kva.example")


def test_status_within_an_address_is_none() -> None:
    (event,) = said(SENT.replace("<iris@gmail.com>", "<a status=bounced (550@x.example>"))
    assert event.type == "delivered"


# --- what other lines of the message tell ---


def logged_in(login: str, rest: str = "") -> str:
    return line(f"{ID}: client=app[192.0.2.9], sasl_method=PLAIN, sasl_username={login}{rest}", "smtpd")


@pytest.mark.parametrize(
    "rest", ["", ", sasl_sender=x+20y", ", orig_queue_id=4XyQ9z3vBKzJrT, orig_client=x[192.0.2.1]"]
)
def test_login_may_hold_blanks_and_commas(rest: str) -> None:
    assert read(logged_in("acme, the team", rest), line(f"{ID}: {SENT}"))[0].customer == "acme, the team"


def test_mail_of_a_customer_to_a_mailbox_on_another_host_counts() -> None:
    stored = line(
        f"{ID}: to=<a@b.example>, relay=dovecot[10.0.0.7]:24, delay=1, dsn=2.0.0, status=sent (250 ok)", "lmtp"
    )
    assert [event.type for event in read(logged_in("acme"), stored)] == ["delivered"]


@pytest.mark.parametrize(
    "word", ["sender non-delivery", "postmaster non-delivery", "sender delay", "sender delivery status"]
)
def test_notifications_give_no_event_even_with_a_default_customer(word: str) -> None:
    assert read(line(f"4XyQ0z3vBKzJrT: {word} notification: {ID}", "bounce"), line(f"{ID}: {SENT}")) == []


@pytest.mark.parametrize("sender", ["", "double-bounce@mx1.example"])
@pytest.mark.parametrize(
    "fate",
    [
        SENT,
        f"to=<a@b.example>, {GOOGLE}, delay=1, dsn=5.1.1, status=bounced (550 no)",
        "from=<>, status=expired, returned to sender",
    ],
)
@pytest.mark.parametrize("options", [HOUSE, FormatOptions(), FormatOptions(customer="instance")])
def test_mail_without_a_sender_gives_neither_event_nor_error(sender: str, fate: str, options: FormatOptions) -> None:
    about = line(f"{ID}: from=<{sender}>, size=9, nrcpt=1 (queue active)", "qmgr")
    fate = fate.replace("from=<>", f"from=<{sender}>")
    assert read(about, line(f"{ID}: {fate}", "qmgr" if "from=" in fate else "smtp"), options=options) == []


def test_mail_without_a_sender_is_the_customers_who_logged_in_or_is_named_in_it() -> None:
    about = line(f"{ID}: from=<>, size=9, nrcpt=1 (queue active)", "qmgr")
    assert read(logged_in("acme"), about, line(f"{ID}: {SENT}"))[0].customer == "acme"
    named = FormatOptions(customer="header.X-Customer", default_customer="house")
    assert read(ABOUT[1], about, line(f"{ID}: {SENT}"), options=named)[0].customer == "Acme Ltd"
