"""Lines of Exim together: passes through filters, forms of logs, and what is remembered."""

import json
import pickle
from datetime import timedelta, timezone

import pytest

from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions
from streams.adapt.canonical import hash_recipient
from streams.adapt.exim import MainLog
from streams.adapt.exim_lines import read_attempt
from tests.support.exim_lines import (
    ARRIVED,
    AT,
    GOOGLE,
    HOUSE,
    ID,
    KEY,
    LATER,
    NOW_MS,
    SAID,
    SENT,
    kinds,
    line,
    ms,
    raw,
    read,
)


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
