"""Lines of Exim's main log."""

import pytest

from streams.adapt import AdaptError, FormatOptions
from streams.adapt.canonical import hash_recipient
from streams.adapt.exim_lines import read_arrival
from streams.adapt.owners import Owners
from tests.support.exim_lines import ARRIVED, FROM, GOOGLE, ID, KEY, LATER, LOCAL_FROM, SAID, SENT, kinds, ms, read


def test_delivery_with_all_that_it_tells() -> None:
    (event,) = read(ARRIVED, SENT)
    assert (event.type, event.time_ms, event.sent) == ("delivered", ms(10, 11, 12, 345_000), ms(10, 11, 12, 345_000))
    assert (event.customer, event.message_id, event.from_domain) == ("acme", "m-1@acme.example", "acme.example")
    assert event.recipient_hash == hash_recipient("iris@gmail.com", KEY)
    assert (event.provider, event.mx_host) == ("gmail", "gmail-smtp-in.l.google.com")
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK gsmtp")


@pytest.mark.parametrize(
    ("text", "kind", "code", "status", "said"),
    [
        ("** {to} R=out T=smtp {host}: {said}550 5.1.1 none DT=0.1s", "bounced", 550, "5.1.1", "550 5.1.1 none"),
        ("** {to} R=out T=smtp {host} : {said}550 5.1.1 none DT=0.1s", "bounced", 550, "5.1.1", "550 5.1.1 none"),
        ("** {to}: Unrouteable address", "bounced", 0, "", "Unrouteable address"),
        ("** {to} R=out T=smtp: all relevant MX records point to non-existent hosts", "bounced", 0, "",
         "all relevant MX records point to non-existent hosts"),
        ("** {to} R=out T=smtp {host}: SMTP error from remote mail server after end of data: 554 5.7.1 spam", "bounced",
         554, "5.7.1", "554 5.7.1 spam"),
        ("** {to} R=out T=smtp: SMTP error from remote mail server after RCPT TO:<iris@gmail.com>: "
         "host mx.old.example [192.0.2.4]: 550 5.1.1 none", "bounced", 550, "5.1.1", "550 5.1.1 none"),
        ("** {to} R=out T=smtp {host}: SMTP error from remote mail server after MAIL FROM:<b@acme.example> SIZE=1426: "
         "550 5.7.1 no", "bounced", 550, "5.7.1", "550 5.7.1 no"),
        ("** {to} R=out T=smtp {host} X=TLS1.3:AES:256 CV=yes DN=\"CN=mx: a, O=b\": {said}550-5.1.1 none\\n550 more",
         "bounced", 550, "5.1.1", "550-5.1.1 none 550 more"),
        ("== {to} R=out T=smtp defer (-44) {host} DT=0.0s: {said}451 4.7.1 later", "deferred", 451, "4.7.1",
         "451 4.7.1 later"),
        ("== {to} R=out T=smtp defer (0) {host}: LMTP error after DATA: 452 4.2.2 full", "deferred", 452, "4.2.2",
         "452 4.2.2 full"),
        ("== {to} R=out T=smtp defer (111): Connection refused {host} DT=0s", "deferred", 0, "", "Connection refused"),
        ("== {to} R=out T=smtp defer (110): Connection timed out {host} DT=5m2s: SMTP timeout after connect",
         "deferred", 0, "", "Connection timed out: SMTP timeout after connect"),
        ("== {to} routing defer (-1): host lookup did not complete", "deferred", 0, "", "host lookup did not complete"),
        ("** {to}: delivery cancelled by administrator", "suppressed", 0, "", "delivery cancelled by administrator"),
        (">> {to} R=out T=smtp {host} C=\"250 \\\"taken\\\"\"", "delivered", 250, "", "250 \"taken\""),
        ("-> {to} R=out T=smtp {host}* L K C=\"250 OK\"", "delivered", 250, "", "250 OK"),
    ],
)  # fmt: skip
def test_fates(text: str, kind: str, code: int, status: str, said: str) -> None:
    told = text.format(to="iris@gmail.com", host=GOOGLE, said=SAID)
    (event,) = read(ARRIVED, f"{ID} {told}")
    assert (event.type, event.smtp_code, event.enhanced_status, event.diagnostic) == (kind, code, status, said)
    assert event.customer == "acme"


@pytest.mark.parametrize(
    "text",
    [
        "== {to} routing defer (-52) DT=0.000s: retry time not reached",
        "== {to} R=out T=smtp defer (-53): retry time not reached for any host",
        "== {to} R=out T=smtp defer (-54) DT=0.000s: retry time not reached for any host for 'gmail.com'",
        "== {to} R=out T=smtp defer (0): SMTP delivery explicitly queued",
        "*> {to} R=out T=smtp H=mx.example [192.0.2.7]",
        "=> /var/mail/iris <iris@here.example> R=files T=address_file",
        "=> |/usr/bin/archive <iris@here.example> R=aliases T=address_pipe",
        "=> >iris@gmail.com <iris@here.example> R=vacation T=vacation_reply",
        "=> :blackhole: <iris@here.example> R=aliases",
        "=> discarded (system filter)",
        "=> iris <iris@here.example> R=localuser T=local_delivery S=420",
        "=> iris@here.example R=mailboxes T=store H=lmtp",
        "** iris@here.example R=localuser T=local_delivery: mailbox is full",
        "== iris@here.example R=localuser T=maildir_home defer (-22): mailbox is full (MTA-imposed quota exceeded)",
        "H=mx.example [192.0.2.7]:25 Connection refused",
        "Completed QT=0.248s",
        "Frozen (delivery error message)",
        "cancelled by timeout_frozen_after",
        "Spool file is locked (another process is handling this message)",
        "Unfrozen by errmsg timer",
        "SMTP error from remote mail server after RCPT TO:<iris@gmail.com>: 421 later",
    ],
)
def test_no_event(text: str) -> None:
    assert read(ARRIVED, f"{ID} {text.format(to='iris@gmail.com')}") == []


@pytest.mark.parametrize(
    "ended",
    [
        "** iris@gmail.com: retry timeout exceeded",
        "** iris@gmail.com R=out T=smtp: all hosts for 'gmail.com' have been failing for a long time (and retry time "
        "not reached) DT=0.000s",
        "** iris@gmail.com R=out T=smtp: all hosts have been failing for a long time and were last tried after this "
        "message arrived",
        "** iris@gmail.com R=out T=smtp: retry time not reached for any host after a long failure period",
    ],
)
def test_expiry_has_the_last_reply_of_its_recipient(ended: str) -> None:
    deferred = f"== iris@gmail.com R=out T=smtp defer (-44) {GOOGLE}: {SAID}421 4.7.28 unsolicited"
    other = f"== noa@gmail.com R=out T=smtp defer (-44) {GOOGLE}: {SAID}452 4.2.2 full"
    put_off = "== iris@gmail.com routing defer (-52): retry time not reached"
    events = read(ARRIVED, f"{ID} {deferred}", f"{ID} {other}", f"{ID} {put_off}", f"{ID} {ended}")
    assert kinds(events) == ["deferred", "deferred", "expired"]
    last = events[-1]
    assert (last.smtp_code, last.enhanced_status, last.diagnostic) == (421, "4.7.28", "421 4.7.28 unsolicited")
    assert last.mx_host == "gmail-smtp-in.l.google.com"


def test_expiry_that_repeats_the_reply_itself() -> None:
    (event,) = read(ARRIVED, f"{ID} ** iris@gmail.com R=out T=smtp {GOOGLE}: {SAID}450 4.2.1 x: retry timeout exceeded")
    assert (event.type, event.smtp_code) == ("expired", 450)


def test_refusal_that_speaks_of_time_is_a_bounce() -> None:
    (event,) = read(ARRIVED, f"{ID} ** iris@gmail.com R=out T=smtp {GOOGLE}: {SAID}550 5.4.0 retry timeout exceeded")
    assert event.type == "bounced"


def test_expiry_of_what_was_never_tried_has_the_reply_to_its_recipient_before() -> None:
    """Retry times are those of an address or a host, not of a message: the first attempt may be the last."""
    deferred = f"{ID} == iris@gmail.com R=out T=smtp defer (-44) {GOOGLE}: {SAID}450 4.2.1 busy"
    arrived = ARRIVED.replace(ID, LATER).replace("m-1", "m-2")
    events = read(ARRIVED, deferred, arrived, f"{LATER} ** iris@gmail.com: retry timeout exceeded")
    assert (events[-1].type, events[-1].smtp_code, events[-1].message_id) == ("expired", 450, "m-2@acme.example")


def test_expiry_without_any_reply() -> None:
    (event,) = read(ARRIVED, f"{ID} ** iris@gmail.com: retry timeout exceeded")
    assert (event.type, event.smtp_code, event.diagnostic) == ("expired", 0, "retry timeout exceeded")


def test_notifications_are_no_mail() -> None:
    notice = f'{LATER} <= <> R={ID} U=Debian-exim P=local S=2330 T="Mail delivery failed" from <> for b@acme.example'
    assert read(notice, f'{LATER} => b@acme.example F=<> R=out T=smtp {GOOGLE} C="250 OK"') == []
    assert read(f'{LATER} => b@acme.example F=<> R=out T=smtp {GOOGLE} C="250 OK"') == []
    assert read(f"{LATER} <= <> H=mx [192.0.2.3] P=esmtp S=1", f"{LATER} ** b@acme.example: Unrouteable address") == []


def test_who_logged_in_may_send_without_an_envelope_sender() -> None:
    (event,) = read(
        f"{ID} <= <> H=(a) [192.0.2.9] P=esmtpa A=login:acme S=1", f"{ID} => iris@gmail.com T=smtp {GOOGLE}"
    )
    assert event.customer == "acme"


@pytest.mark.parametrize(
    ("login", "customer"),
    [
        ("A=plain:acme S=1", "acme"),
        ("A=login_server:shop@acme.example S=1", "shop@acme.example"),
        ("A=plain:a cme S=1", "a cme"),
        ("A=plain:acme:b@client.example S=1", "acme"),
        ("A=plain:acme PRDR K S=1", "acme"),
        ("A=external S=1", "acme.example"),
        ("S=1", "acme.example"),
    ],
)
def test_customer_is_who_logged_in_else_the_domain(login: str, customer: str) -> None:
    (event,) = read(f"{FROM} {login}", SENT)
    assert event.customer == customer


@pytest.mark.parametrize(
    "arrived",
    [
        '"x A=plain:victim S=1"@evil.example H=(a) [192.0.2.9] P=esmtp S=9',
        'b@evil.example H=(a) [192.0.2.9] P=esmtp S=9 id=1@x T="A=plain:victim S=1" from <b@evil.example> for a@b.c',
        "b@evil.example H=(a) [192.0.2.9] U=x P=esmtpa A=plain:victim S=1 P=esmtp S=9",
        "b@evil.example H=(A=plain:victim) [192.0.2.9] P=esmtp S=9",
        "b@evil.example H=mx.evil.example (helo A=plain:victim) [192.0.2.9] P=esmtp S=9",
    ],
)
def test_what_a_client_chose_is_no_login(arrived: str) -> None:
    found = read_arrival(arrived)
    assert found is not None
    assert found.login == ""


@pytest.mark.parametrize(
    ("place", "customer"),
    [
        ("user", "acme"),
        ("sender", "acme.example"),
        ("verp:{}@acme.example", "b"),
        ("domain", "owner"),
        ("ip", "house"),
    ],
)
def test_places(place: str, customer: str) -> None:
    owners = Owners(domains={"acme.example": "owner"})
    options = FormatOptions(customer=place, default_customer="house")
    (event,) = read(LOCAL_FROM, SENT, options=options, owners=owners)
    assert event.customer == customer


@pytest.mark.parametrize(
    ("logged", "customer"),
    [
        ((f"{ID} X-Customer: larkspur",), "larkspur"),
        ((f"{ID} H=(app) [192.0.2.9]:6095 X=TLS1.3:ECDHE:256 A=plain:acme Warning: x-customer: larkspur",), "larkspur"),
        ((f"{ID} U=www P=local Warning: X-Customer: larkspur",), "larkspur"),
        ((f"{ID} X-Customer: larkspur", f"{ID} X-Customer: another"), "acme"),
        ((f"{ID} Subject: larkspur", f"{ID} H=(app) [192.0.2.9] rejected after DATA: X-Customer: larkspur"), "acme"),
    ],
)
def test_header_field_is_known_where_an_acl_logs_it(logged: tuple[str, ...], customer: str) -> None:
    """By `logwrite` or `warn log_message`; two values name nobody."""
    options = FormatOptions(customer=("header.X-Customer", "authenticated_id"))
    (event,) = read(*logged, ARRIVED, SENT, options=options)
    assert event.customer == customer


def test_place_that_is_none_names_those_that_are() -> None:
    with pytest.raises(AdaptError, match=r"line 2: the option `tenant` is not a place in Exim's lines; use `authent"):
        read(ARRIVED, SENT, options=FormatOptions(customer="tenant"))


def test_message_of_nobody_known_is_an_error_that_names_it() -> None:
    with pytest.raises(AdaptError, match=f"message {ID}: no login and no envelope sender is known"):
        read(f"{ID} => iris@gmail.com R=out T=smtp {GOOGLE}", options=FormatOptions())
