"""A bad record costs itself alone, in every format of which a message may hold several."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter, listing_adapter
from streams.adapt.apart import MOST_NAMED, ReadApart, read_apart
from tests.support.adapt_bodies import DOCUMENTS, bodies
from tests.support.mails import fields, report

WEBHOOKS = [name for name in DOCUMENTS if name not in ("canonical", "hetrixtools", "listings")]
CONTEXT = Context(b"a key", load_providers(), {name: FormatOptions(default_customer="house") for name in WEBHOOKS})
#: What no vendor's adapter takes: an event without its name, its time or its data.
BROKEN: list[Any] = [5, {"nothing": "known"}]
POSTFIX = [
    "Mar  3 09:11:10 mx1 postfix/smtpd[7]: 4F1A2B: client=app[192.0.2.9], sasl_username=acme",
    "Mar  3 09:11:10 mx1 postfix/qmgr[9]: 4F1A2B: from=<b@acme.example>, size=9 (queue active)",
    "Mar  3 09:11:12 mx1 postfix/smtp[10]: 4F1A2B: to=<iris@gmail.com>, relay=a.b[192.0.2.7]:25, dsn=2.0.0, "
    "status=sent (250 OK)",
    "Mar  3 09:11:12 mx1 postfix/smtp[10]: 4F1A2C: to=<oskar@gmail.com>, relay=a.b[192.0.2.7]:25, dsn=2.0.0, "
    "status=sent (250 OK)",
]


def apart(name: str, raw: bytes, context: Context = CONTEXT) -> ReadApart[MailEvent] | None:
    return read_apart(adapter(name), raw, context, lambda _: None)


def records_of(name: str) -> list[Any]:
    """Records of one body, each of which may stand in an array of the format."""
    found: list[Any] = []
    for document in DOCUMENTS[name]:
        found += document if isinstance(document, list) else [document]
    return found


def ids(events: list[MailEvent]) -> list[str]:
    return [event.id for event in events]


@pytest.mark.parametrize("name", WEBHOOKS)
def test_good_records_count_as_they_do_without_the_bad_one(name: str) -> None:
    good = records_of(name)
    whole = adapter(name)(json.dumps(good).encode(), CONTEXT)
    for bad in BROKEN:
        for at in range(len(good) + 1):
            body = json.dumps([*good[:at], bad, *good[at:]]).encode()
            with pytest.raises(AdaptError):
                adapter(name)(body, CONTEXT)
            found = apart(name, body)
            assert found is not None
            assert found.events == whole
            assert json.loads(found.rest) == bad
            assert 0 < found.bad_share <= 0.5


@pytest.mark.parametrize("name", WEBHOOKS)
def test_good_records_count_beside_a_broken_line(name: str) -> None:
    good = [json.dumps(each).encode() for each in records_of(name)]
    found = apart(name, b"\n".join([*good, b'{"event": "del']))
    assert found is not None
    assert ids(found.events) == ids(adapter(name)(b"\n".join(good), CONTEXT))
    assert found.rest == b'{"event": "del'
    assert found.reason.startswith("record ")
    assert "not JSON" in found.reason


def event(name: str, **changes: Any) -> dict[str, Any]:
    plain = {"event": "delivered", "email": "i@x.example", "timestamp": 1_757_675_281, "sg_event_id": name}
    return {**plain, "customer": "acme", **changes}


def test_letter_names_the_records_and_reasons_and_holds_them_alone() -> None:
    bad = [event(str(n), timestamp=None) for n in range(MOST_NAMED + 2)]
    odd = event("odd", email=7)
    found = read_apart(
        adapter("sendgrid"), json.dumps([event("a"), *bad, odd, event("b")]).encode(), CONTEXT, lambda _: None
    )
    assert found is not None
    assert ids(found.events) == ["a", "b"]
    assert [json.loads(line) for line in found.rest.splitlines()] == [*bad, odd]
    assert found.reason == (
        "records 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more: field `timestamp` is missing; "
        "record 14: field `email`: expected `str | null`, got `int`"
    )
    assert found.bad_share == pytest.approx(13 / 15)


def test_records_of_containers_keep_what_the_container_says() -> None:
    good = {"event_name": "transactional_email_status", "status": "delivered", "email": "i@x.example",
            "event_time": "2025-09-12 11:08:01", "job_id": "j1"}  # fmt: skip
    body = {"events_by_user": [{"user_id": 4, "project_id": "p1", "events": [good, {**good, "event_time": "soon"}, 5]}]}
    found = apart("unisender", json.dumps(body).encode())
    assert found is not None
    (kept,) = found.events
    assert kept.customer == "p1"
    again = apart("unisender", found.rest.replace(b"soon", b"2025-09-12 11:08:01"))
    assert again is not None
    assert [each.customer for each in again.events] == ["p1"]
    assert again.reason.startswith("record 2: ")


def test_records_in_a_form() -> None:
    good = {"event": "delivered", "ts": 1_757_675_281, "_id": "m1", "msg": {"email": "i@x.example", "subaccount": "a"}}
    form = b"mandrill_events=" + quote_plus(json.dumps([good, {**good, "ts": None}])).encode()
    found = apart("mandrill", form)
    assert found is not None
    assert [each.message_id for each in found.events] == ["m1"]
    assert json.loads(found.rest) == {**good, "ts": None}


def test_lines_of_a_log_keep_what_tells_whose_they_are() -> None:
    context = Context(b"a key", load_providers(), clock=lambda: 1_757_675_281_000)
    found = apart("postfix", "\n".join(POSTFIX).encode(), context)
    assert found is not None
    assert [(each.customer, each.recipient_domain) for each in found.events] == [("acme", "gmail.com")]
    assert found.reason.startswith("line 4: message 4F1A2C: ")
    assert found.rest.decode().split("\n") == [POSTFIX[0], POSTFIX[1], POSTFIX[3]]


def test_what_an_earlier_line_said_is_looked_through_with_the_line_that_it_is_of() -> None:
    context = Context(b"a key", load_providers(), clock=lambda: 1_757_675_281_000)
    named = "Mar  3 09:11:10 mx1 postfix/cleanup[8]: 4F1A2B: message-id=<m\0@acme.example>"
    assert apart("postfix", "\n".join([POSTFIX[0], named, POSTFIX[2]]).encode(), context) is None
    found = apart("postfix", "\n".join([*POSTFIX[:3], named, POSTFIX[2]]).encode(), context)
    assert found is not None
    assert [event.message_id for event in found.events] == ["4F1A2B"]
    assert found.reason == "line 5: field `message_id`: contains a NUL character"


def test_what_tells_no_fate_is_no_part_of_the_share() -> None:
    """Of a topic whose customers cannot be found all that would count is bad, however many opens there are."""
    opens = [event(str(n), event="open") for n in range(8)]
    found = apart("sendgrid", json.dumps([*opens, event("a", timestamp=None)]).encode())
    assert found is not None
    assert (found.events, found.bad_share) == ([], 1.0)
    found = apart("sendgrid", json.dumps([*opens, event("a", timestamp=None), event("b")]).encode())
    assert found is not None
    assert found.bad_share == 0.5


def test_csv_keeps_its_header() -> None:
    rows = [
        "type,timeLogged,orig,rcpt,dsnStatus,dsnDiag,vmta",
        "d,2025-09-12 11:08:01+0000,b@a.example,iris@gmail.com,2.0.0,OK,acme",
        'd,never,b@a.example,oskar@gmail.com,2.0.0,"OK\nand more",acme',
    ]
    found = apart("powermta", "\n".join(rows).encode())
    assert found is not None
    assert [each.customer for each in found.events] == ["acme"]
    assert found.rest.decode() == f"{rows[0]}\n{rows[2]}"


@pytest.mark.parametrize("name", ["canonical", "arf", "dsn"])
def test_message_that_is_one_record_is_taken_whole_or_not_at_all(name: str) -> None:
    for raw in bodies(name):
        assert apart(name, raw + raw) is None


def test_where_nothing_is_good_the_message_stays_as_it_came() -> None:
    assert apart("sendgrid", json.dumps([event("a", timestamp=None), event("b", timestamp=None)]).encode()) is None
    assert apart("sendgrid", b'[{"event": "delivered"') is None
    assert apart("mandrill", b"other=1") is None


def test_records_of_outside_monitors_are_read_apart_too() -> None:
    good = {"resource": "192.0.2.17", "zone": "zen.spamhaus.org", "time": 1_757_675_281}
    context = Context(b"a key", load_providers(), clock=lambda: 1_757_675_281_000)
    raw = json.dumps([good, {"resource": "192.0.2.18"}, good | {"resource": "192.0.2.19"}]).encode()
    found = read_apart(listing_adapter("listings"), raw, context, lambda _: None)
    assert found is not None
    assert [each.resource for each in found.events] == ["192.0.2.17", "192.0.2.19"]
    assert found.reason == "record 2: either `zone` or `zones` is needed"


# --- notifications about several recipients ---

TEXT = """\
iris@gmail.com: 550 5.1.1 no such user
juno@yahoo.com: what nobody knows
kim@shop.example: 552 5.2.2 full
"""
ABOUT = "Reporting-MTA: dns; mx.example.net\n\n"
GOOD_GROUPS = [
    fields("Final-Recipient: rfc822; iris@gmail.com", "Action: failed", "Status: 5.0.0"),
    fields("Final-Recipient: rfc822; kim@shop.example", "Action: failed", "Status: 5.0.0"),
]
BAD_GROUP = fields("Final-Recipient: rfc822; juno@yahoo.com", "Action: eaten")


def notification(*groups: str) -> bytes:
    raw = report("delivery-status", ABOUT + "\n".join(groups))
    return raw.replace(b"What happened, for people.", TEXT.encode())


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_recipient_who_cannot_be_read_costs_no_other(line_end: bytes) -> None:
    """Each of the others has the reply that the text gives it, as in the whole mail."""
    whole = adapter("dsn")(notification(*GOOD_GROUPS), CONTEXT)
    raw = notification(GOOD_GROUPS[0], BAD_GROUP, GOOD_GROUPS[1]).replace(b"\n", line_end)
    found = apart("dsn", raw)
    assert found is not None
    assert [(each.id, each.smtp_code, each.enhanced_status) for each in found.events] == [
        (each.id, each.smtp_code, each.enhanced_status) for each in whole
    ]
    assert found.reason.startswith("recipient 2: field `Action`: unknown value 'eaten'")
    with pytest.raises(AdaptError, match="unknown value 'eaten'"):
        adapter("dsn")(found.rest, CONTEXT)


def test_what_is_left_of_a_notification_is_about_the_bad_recipients() -> None:
    other = BAD_GROUP.replace("juno@yahoo.com", "lena@shop.example")
    found = apart("dsn", notification(GOOD_GROUPS[0], BAD_GROUP, other))
    assert found is not None
    assert found.reason.startswith("recipients 2, 3: ")
    mended = found.rest.replace(b"eaten", b"failed")
    assert [event.recipient_domain for event in adapter("dsn")(mended, CONTEXT)] == ["yahoo.com", "shop.example"]


def test_recipient_of_whom_nothing_is_said_stays_without_event_beside_a_bad_one() -> None:
    silent = fields("Final-Recipient: rfc822; lena@shop.example")
    found = apart("dsn", notification(GOOD_GROUPS[0], BAD_GROUP, silent))
    assert found is not None
    assert len(found.events) == 1


def group(number: int, *, bad: bool) -> str:
    whose = f"Final-Recipient: rfc822; user{number}@gmail.com"
    if bad:
        return fields(whose, "Action: eaten")
    return fields(whose, "Action: failed", f"Diagnostic-Code: smtp; 550 5.1.1 no user{number}")


@pytest.mark.parametrize(("recipients", "bad"), [(51, (1, 51)), (260, (7, 8, 250))])
def test_notification_about_very_many_is_taken_apart_too(
    recipients: int, bad: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the good ones counts with its own reply, also where they are more than a mail may have groups."""
    monkeypatch.setattr("streams.adapt.mime.MAX_GROUPS", 200)
    numbers = range(1, recipients + 1)
    found = apart("dsn", notification(*(group(each, bad=each in bad) for each in numbers)))
    assert found is not None
    assert [event.diagnostic for event in found.events] == [f"550 5.1.1 no user{n}" for n in numbers if n not in bad]
    assert found.reason.startswith(f"recipient{'s' if len(bad) > 1 else ''} {', '.join(map(str, bad))}: ")
    assert found.bad_share == pytest.approx(len(bad) / recipients)
    assert found.rest.count(b"Final-Recipient") == len(bad)


def test_what_is_read_of_a_notification_in_which_nearly_all_are_bad_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those who share a part with a bad one are bad with it then, and the reason names all of them."""
    monkeypatch.setattr("streams.adapt.apart.MOST_BYTES", 100)
    found = apart("dsn", notification(*(group(each, bad=each >= 5) for each in range(1, 101))))
    assert found is not None
    assert [len(found.events), found.rest.count(b"Final-Recipient")] == [4, 96]
    assert found.reason.startswith("recipients 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 86 more: ")
