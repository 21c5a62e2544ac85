"""Lines of Exim's main log."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.canonical import hash_recipient
from streams.adapt.exim import MainLog
from streams.adapt.exim_lines import read_arrival, read_attempt
from streams.adapt.owners import Owners

KEY = b"a key"
HOUSE = FormatOptions(default_customer="house")
NOW_MS = 1_741_003_200_000
AT = "2025-03-03 10:11:12.345"
ID = "1xXa37-0006E0-15"
LATER = "1xXa38-0006FE-0I"
SAID = "SMTP error from remote mail server after RCPT TO:<iris@gmail.com>: "
FROM = f"{ID} <= b@acme.example H=(app) [192.0.2.9]:6095 I=[192.0.2.1]:25 P=esmtpsa X=TLS1.3:ECDHE:256 CV=no"
ARRIVED = (
    f'{FROM} A=plain:acme S=400 M8S=0 RT=0.045s id=m-1@acme.example T="Weekly" from <b@acme.example> for iris@gmail.com'
)
GOOGLE = "H=gmail-smtp-in.l.google.com [198.51.100.26]:25"
SENT = (
    f'{ID} => iris@gmail.com F=<b@acme.example> R=out T=smtp S=416 {GOOGLE} C="250 2.0.0 OK gsmtp" QT=0.073s DT=0.028s'
)
LOCAL_FROM = f"{ID} <= b@acme.example U=acme P=local S=400 id=m-1@acme.example"


def line(text: str, at: str = AT) -> str:
    return f"{at} [811] {text}"


def read(*texts: str, options: FormatOptions = HOUSE, owners: Owners | None = None) -> list[MailEvent]:
    context = Context(KEY, load_providers(), {"exim": options}, clock=lambda: NOW_MS, owners=owners or Owners())
    return adapter("exim")("\n".join(map(line, texts)).encode(), context)


def raw(*lines: str, options: FormatOptions = HOUSE) -> list[MailEvent]:
    context = Context(KEY, load_providers(), {"exim": options}, clock=lambda: NOW_MS)
    return adapter("exim")("\n".join(lines).encode(), context)


def ms(hour: int, minute: int, second: int, micros: int = 0) -> int:
    return int(datetime(2025, 3, 3, hour, minute, second, micros, tzinfo=UTC).timestamp() * 1000)


def kinds(events: list[MailEvent]) -> list[str]:
    return [event.type for event in events]


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


def test_aliases_are_an_event_each() -> None:
    to = [f"{ID} -> {each}@gmail.com <list@acme.example> R=out T=smtp {GOOGLE}" for each in ("iris", "noa", "tom")]
    events = read(ARRIVED, *to)
    assert len({event.id for event in events}) == 3
    assert [event.recipient_hash for event in events] == [
        hash_recipient(f"{each}@gmail.com", KEY) for each in ("iris", "noa", "tom")
    ]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ('"iris: a > b"@gmail.com', '"iris: a > b"@gmail.com'),
        ("iris@[IPv6:2001:db8::1]", "iris@[IPv6:2001:db8::1]"),
        ("iris@gmail.com (parent@a.example, other@a.example) <list@a.example>", "iris@gmail.com"),
    ],
)
def test_addresses(written: str, address: str) -> None:
    found = read_attempt(f"{written} R=out T=smtp {GOOGLE}: {SAID}550 no")
    assert found is not None
    assert (found.address, found.relay.host, found.text) == (address, "gmail-smtp-in.l.google.com", "550 no")


def test_second_pass_through_a_content_filter_is_the_mail_of_who_logged_in() -> None:
    taken = f"250 2.0.0 from MTA: 250 OK id={LATER}"
    to_filter = f'{ID} => iris@gmail.com R=scan T=amavis H=localhost [127.0.0.1]:10024 C="{taken}"'
    again = f"{LATER} <= b@acme.example H=localhost [127.0.0.1] P=esmtp S=9 id=m-1@acme.example"
    sent = SENT.replace(ID, LATER)
    (event,) = read(ARRIVED, again, to_filter, sent)
    assert (event.customer, event.type) == ("acme", "delivered")


def test_pass_through_a_command_is_the_mail_of_who_logged_in() -> None:
    piped = f"{ID} => iris <iris@gmail.com> R=spamcheck_router T=spamcheck S=9"
    again = f"{LATER} <= b@acme.example U=mail P=spam-scanned S=9 id=m-1@acme.example"
    (event,) = read(ARRIVED, piped, again, SENT.replace(ID, LATER))
    assert event.customer == "acme"


def test_host_whose_name_dnssec_proved() -> None:
    proved = GOOGLE.replace(" [", " DS [", 1)
    assert proved != GOOGLE
    (event,) = read(ARRIVED, SENT.replace(GOOGLE, proved))
    assert (event.type, event.mx_host) == ("delivered", "gmail-smtp-in.l.google.com")


@pytest.mark.parametrize("restart", [False, True])
def test_what_was_handed_on_while_it_came_in_is_mail_of_who_logged_in(restart: bool) -> None:
    """The deliveries are logged first (`cutthrough_delivery`)."""
    context = Context(KEY, load_providers(), {"exim": FormatOptions()}, clock=lambda: NOW_MS)
    log, events = MainLog(), []
    through = [SENT.replace("=>", ">>").replace(" F=<b@acme.example>", ""), ARRIVED, f"{ID} Completed"]
    for text in through:
        events += log.adapt(line(text).encode(), context)
        if restart:
            memory = pickle.loads(pickle.dumps(log.memory))  # noqa: S301 - our own
            log = MainLog()
            log.memory = memory
    assert [(event.type, event.customer) for event in events] == [("delivered", "acme")]


def test_what_was_handed_on_counts_where_the_log_never_says_who_sent_it() -> None:
    through = SENT.replace("=>", ">>").replace(" F=<b@acme.example>", "")
    assert [event.customer for event in read(through, f"{ID} Completed")] == ["house"]
    assert [event.customer for event in read(through)] == ["house"]


def test_smarthost_on_this_host_is_no_filter() -> None:
    sent = f'{ID} => iris@gmail.com R=out T=smtp H=localhost [127.0.0.1]:2526 C="250 OK"'
    assert read(ARRIVED, sent) == []
    smarthost = FormatOptions(smarthosts=frozenset({"127.0.0.1:2526"}))
    assert kinds(read(ARRIVED, sent, options=smarthost)) == ["delivered"]


def test_incoming_mail_for_a_host_inside_is_no_mail_of_a_customer() -> None:
    arrived = f"{ID} <= someone@gmail.com H=mail.google.com [8.8.4.4] P=esmtps S=9"
    assert read(arrived, f"{ID} => iris@here.example R=inside T=smtp H=store [10.0.0.7]:24") == []


def test_sending_address_is_the_interface() -> None:
    (event,) = read(ARRIVED, f"{ID} => iris@gmail.com R=out T=smtp {GOOGLE} I=[8.8.4.4]:41000")
    assert event.sending_ip == "8.8.4.4"
    (event,) = read(ARRIVED, f"{ID} => iris@gmail.com R=out T=smtp {GOOGLE} I=[10.0.0.7]:41000")
    assert event.sending_ip == ""


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2025-03-03 10:11:12", ms(9, 11, 12)),
        ("2025-03-03 10:11:12.345", ms(9, 11, 12, 345_000)),
        ("2025-03-03 10:11:12 +0500", ms(5, 11, 12)),
        ("2025-03-03 10:11:12.345 -0130", ms(11, 41, 12, 345_000)),
    ],
)
def test_times(at: str, moment: int) -> None:
    options = FormatOptions(time_zone=timezone(timedelta(hours=1)))
    (event,) = raw(line(ARRIVED, at), line(SENT, at), options=options)
    assert event.time_ms == moment


def test_time_of_sending_without_the_arrival() -> None:
    (event,) = read(SENT.replace("QT=0.073s", "QT=1d2h3m4s"), options=HOUSE)
    assert event.time_ms - int(event.sent) == ((26 * 60 + 3) * 60 + 4) * 1000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head",
    [
        "Mar  3 10:11:12 mx1 exim[811]: ",
        "2025-03-03T10:11:12.345+00:00 mx1 exim[811]: ",
        "<22>1 2025-03-03T10:11:12Z mx1 exim 811 - - ",
        "Mar  3 11:11:12 mx1 exim[811]: 2025-03-03 10:11:12 ",
        "Mar  3 11:11:12 mx1 exim[811]: 2025-03-03 10:11:12 [811] ",
        "2025-03-03T11:11:12.1Z stdout F 2025-03-03 10:11:12 ",
        "2025-03-03T11:11:12.1Z 2025-03-03 10:11:12 [811] ",
        "mail-1  | 2025-03-03 10:11:12 ",
    ],
)
def test_system_logs(head: str) -> None:
    (event,) = raw(head + ARRIVED, head + SENT)
    assert (event.customer, event.time_ms // 1000) == ("acme", ms(10, 11, 12) // 1000)


def test_line_that_was_too_long_for_the_system_log_counts_by_its_first_part() -> None:
    head = "Mar  3 10:11:12 mx1 exim[811]: "
    failed = f"{ID} ** iris@gmail.com R=out T=smtp {GOOGLE}: {SAID}550 5.1.1 no such user"
    (event,) = raw(head + ARRIVED, f"{head}[1/2] 2025-03-03 10:11:12 {failed}", f"{head}[2/2] {ID} => a@b.example")
    assert (event.type, event.customer, event.enhanced_status) == ("bounced", "acme", "5.1.1")
    (event,) = raw(head + ARRIVED, f"{head}[1\\2] {failed}", f"{head}[2\\2] more")
    assert event.smtp_code == 550


def test_lines_in_the_files_of_containers() -> None:
    docker = [
        json.dumps({"log": f"{text}\n", "stream": "stdout", "time": "2025-03-03T10:11:12.1Z"})
        for text in ("+ exec exim -bd", f"2025-03-03 10:11:12 {ARRIVED}", f"2025-03-03 10:11:12 {SENT}")
    ]
    assert kinds(raw(*docker)) == ["delivered"]
    at, sent = "2025-03-03T10:11:12.1Z stdout", f"2025-03-03 10:11:12 {SENT}"
    (event,) = raw(f"{at} F 2025-03-03 10:11:12 {ARRIVED}", f"{at} P {sent[:60]}", f"{at} F {sent[60:]}")
    assert (event.customer, event.enhanced_status) == ("acme", "2.0.0")


@pytest.mark.parametrize(
    ("host", "confirmed"),
    [
        ("H=scan [10.0.0.7]", f' C="250 2.0.0 from MTA: 250 OK id={LATER}"'),
        ("H=scan [198.51.100.7]", f' C="250 2.0.0 from MTA: 250 OK id={LATER}"'),
        ("H=scan [10.0.0.7]", ""),
        ("H=scan [198.51.100.7]", ' C="250 2.0.0 Ok"'),
    ],
)
def test_filter_on_another_host_gives_back_the_mail_of_who_logged_in(host: str, confirmed: str) -> None:
    again = f"{LATER} <= b@acme.example {host} P=esmtp S=9 id=m-1@acme.example"
    to_filter = f"{ID} => iris@gmail.com R=scan T=amavis {host}{confirmed}"
    (event,) = read(ARRIVED, again, to_filter, SENT.replace(ID, LATER))
    assert (event.type, event.customer, event.mx_host) == ("delivered", "acme", "gmail-smtp-in.l.google.com")


def test_ids_of_all_releases() -> None:
    long_id = "1rX2Yf-00000000abc-0XyZ"
    (event,) = raw(*(f"2025-03-03 10:11:12 {text.replace(ID, long_id)}" for text in (ARRIVED, SENT)))
    assert event.customer == "acme"


def test_lines_of_no_message_and_the_rest_of_others_are_passed_over() -> None:
    others = (
        f"{AT} exim 4.96 daemon started: pid=23764, -q2s",
        " Suggested action: use keep_environment.",
        f"{AT} [7] H=(x) [192.0.2.4] F=<a@b.example> rejected RCPT <iris@here.example>: Unrouteable address",
        f"{AT} [7] {ID} SMTP connection lost",
    )
    assert kinds(raw(line(ARRIVED), *others, line(SENT))) == ["delivered"]


def test_line_of_no_log_is_an_error_that_names_it() -> None:
    with pytest.raises(AdaptError, match=r"line 2: 'nonsense' does not begin like a line of a system log"):
        raw(line(ARRIVED), "nonsense")
    with pytest.raises(AdaptError, match="the message is empty"):
        raw(" ")


def test_log_read_line_by_line_remembers() -> None:
    context = Context(KEY, load_providers(), {"exim": FormatOptions()})
    log = MainLog()
    assert log.adapt(line(ARRIVED).encode(), context) == []
    assert [event.customer for event in log.adapt(line(SENT).encode(), context)] == ["acme"]


def test_what_an_earlier_line_said_is_looked_through_with_the_line_that_it_is_of() -> None:
    log, context = MainLog(), Context(KEY, load_providers(), {"exim": HOUSE}, clock=lambda: NOW_MS)
    assert log.adapt(line(ARRIVED.replace("m-1@", "m\0@")).encode(), context) == []
    with pytest.raises(AdaptError, match="field `message_id`: contains a NUL character"):
        log.adapt(line(SENT).encode(), context)


@pytest.mark.parametrize(
    "head",
    [
        "mx-0 exim ",
        "mx-0 \u203a exim ",
        "/var/log/exim4/mainlog:",
        "mx.1.k3x@node-1    | ",
        "\x1b[36mexim-1  |\x1b[0m ",
    ],
)
def test_what_tools_put_before_lines_is_passed_over(head: str) -> None:
    (event,) = raw(f"{head}2025-03-03 10:11:12 {ARRIVED}", f"{head}2025-03-03 10:11:12 {SENT}")
    assert (event.type, event.customer) == ("delivered", "acme")
