"""Reports in JSON that come alone, in no mail: one, an array, several joined or a line each."""

import json
from base64 import b64encode
from typing import Any

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter
from streams.adapt.apart import read_apart
from streams.adapt.arrival import stamped
from streams.adapt.base import ReportTrust
from streams.adapt.trust import MOST_UNPROVEN

CONTEXT = Context(b"a key", load_providers())
CAME_MS = 1_741_000_000_000
KNOWN = {"xarf_version": "4.0.0", "category": "messaging", "type": "spam", "protocol": "smtp", "smtp_to": "i@yahoo.com"}
TOLD = {**KNOWN, "smtp_from": "b@acme.example", "timestamp": "2025-03-03T10:11:12+05:30"}
TOLD_MS = 1_740_976_872_000


def report(number: int, **fields: Any) -> dict[str, Any]:
    return {**TOLD, "report_id": f"r{number}", "smtp_to": f"i{number}@yahoo.com", **fields}


def undated(number: int) -> dict[str, Any]:
    return {name: each for name, each in report(number).items() if name != "timestamp"}


def read(raw: bytes | str, context: Context = CONTEXT) -> list[MailEvent]:
    return adapter("arf")(raw.encode() if isinstance(raw, str) else raw, context)


@pytest.mark.parametrize(
    "form", ["[{0},{1}]", " [ {0} ,\r\n {1} ]\r\n", "{0}\n{1}\n", "{0}{1}", "\ufeff[{0},{1}]", "[{0},{1}"]
)
def test_several_reports_are_as_many_events(form: str) -> None:
    """Each is what it is by itself, also below the time at which it came."""
    texts = [json.dumps(report(number), indent=number or None) for number in range(2)]
    alone = [event for text in texts for event in read(text)]
    raw = form.format(*texts).encode()
    assert read(raw) == read(stamped(raw, CAME_MS)) == alone
    assert [event.time_ms for event in alone] == [TOLD_MS, TOLD_MS]


def test_report_without_a_time_is_of_when_it_came_if_anybody_knows() -> None:
    """It counts once, whenever it is sent again; its own time takes precedence."""
    body = json.dumps([undated(0), report(1)]).encode()
    with pytest.raises(AdaptError, match="report 1: the report has no date that can be read"):
        read(body)
    first, second = read(stamped(body, CAME_MS))
    assert (first.time_ms, second.time_ms) == (CAME_MS, TOLD_MS)
    again = read(stamped(json.dumps(undated(0)).encode(), CAME_MS + 60_000))
    assert [event.id for event in again] == [first.id]


@pytest.mark.parametrize("when", ["soon", "", 1740976872, None, "2025-02-30T00:00:00Z"])
def test_time_that_is_none_is_as_one_that_is_missing(when: object) -> None:
    (event,) = read(stamped(json.dumps(report(0, timestamp=when)).encode(), CAME_MS))
    assert event.time_ms == CAME_MS


@pytest.mark.parametrize("bad", [undated(1), {"xarf_version": "4.0.0", "type": "spam", "category": "messaging"}])
@pytest.mark.parametrize("came_ms", [None, CAME_MS])
def test_a_bad_report_costs_itself_alone(bad: dict[str, Any], came_ms: int | None) -> None:
    """What is left of the message is again one that can be sent."""
    body = json.dumps([report(0), {**bad, "smtp_from": ""}, report(2)]).encode()
    raw = body if came_ms is None else stamped(body, came_ms)
    found = read_apart(adapter("arf"), raw, CONTEXT, lambda _: None)
    assert found is not None
    assert [event.id for event in found.events] == [read(json.dumps(report(n)))[0].id for n in (0, 2)]
    assert found.reason.startswith("record 2: ")
    mended = found.rest.replace(b'"smtp_from": ""', b'"smtp_from": "b@acme.example"')
    assert found.rest == (raw[: raw.index(b"[")] + json.dumps({**bad, "smtp_from": ""}).encode())
    assert came_ms is None or [event.time_ms for event in read(mended)] == [came_ms]


def test_of_a_batch_as_many_are_taken_as_of_single_reports() -> None:
    """What limits one mail is no limit for many; in a mail it is."""
    many = json.dumps([report(number) for number in range(MOST_UNPROVEN + 1)])
    assert len(read(many)) == len(read(stamped(many.encode(), CAME_MS))) == MOST_UNPROVEN + 1
    mail = f"From: a@b.example\r\nDate: Mon, 3 Mar 2025 10:11:12 +0100\r\nContent-Type: application/json\r\n\r\n{many}"
    with pytest.raises(AdaptError, match="it names 21 recipients"):
        read(mail)
    limited = Context(b"a key", load_providers(), {"arf": FormatOptions(trust=ReportTrust(max_recipients=1))})
    assert len(read(many, limited)) == MOST_UNPROVEN + 1


def large(payload: str, **after: Any) -> str:
    evidence = [{"content_type": "message/rfc822", "payload": payload}]
    return json.dumps(report(0, smtp_from="", evidence=evidence, **after))


HEADERS = b"From: News <n@acme.example>\r\nX-Customer: acme\r\nMessage-ID: <m1@acme.example>\r\n\r\n"


@pytest.mark.parametrize("cut", [999_000, 999_001, 999_002, 999_003])
@pytest.mark.parametrize("encoded", [True, False])
def test_report_that_was_cut_off_is_read_as_far_as_it_goes(cut: int, encoded: bool) -> None:
    """Of more than a megabyte the beginning is kept, of a mail too; what it is about begins with its header."""
    whole = HEADERS + b"Buy this \\ \xc3\xbc\r\n" * 70_000
    raw = large(b64encode(whole).decode() if encoded else whole.decode())[:cut]
    by_header = Context(b"a key", load_providers(), {"arf": FormatOptions(customer="header.X-Customer")})
    mail = f"From: a@yahoo.com\r\nContent-Type: application/json\r\n\r\n{raw}"
    for each in (raw, stamped(raw.encode(), CAME_MS), mail):
        (event,) = read(each, by_header)
        assert (event.customer, event.message_id, event.provider) == ("acme", "m1@acme.example", "yahoo")
        assert event.time_ms == TOLD_MS
    alone = read(raw, CONTEXT)
    assert [each.customer for each in alone] == ["acme.example"], "by the From header of the mail"


def test_small_report_that_is_broken_is_still_an_error() -> None:
    with pytest.raises(AdaptError, match="the XARF report cannot be read"):
        read(json.dumps(report(0))[:-20])


def test_reports_of_one_mail_are_told_apart() -> None:
    hidden = [report(number, smtp_to="") for number in range(3)]
    head = "From: a@yahoo.com\r\nMessage-ID: <m@x>\r\nContent-Type: application/json\r\n\r\n"
    events = read(head + json.dumps(hidden))
    assert len({event.id for event in events}) == 3


def test_reports_about_no_mail_give_nothing_beside_others() -> None:
    attack = {"xarf_version": "4.0.0", "category": "connection", "type": "login_attack"}
    assert len(read(json.dumps([attack, report(0)]))) == 1
    assert read(stamped(json.dumps([attack]).encode(), CAME_MS)) == []


def test_json_that_is_no_report_stays_as_it_came() -> None:
    for raw in (b'{"a": 1}', b"[1]", b"", b"[]"):
        assert stamped(raw, CAME_MS) in (raw, b"Delivery-Date: Mon, 03 Mar 2025 11:06:40 +0000\r\n" + raw)
    assert stamped(b'{"a": 1}', CAME_MS) == b'{"a": 1}'
