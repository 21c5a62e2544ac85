"""PowerMTA's records of all types and forms: reports, expiries, JSON, other delimiters, missing times."""

import csv
import json
from datetime import datetime
from io import StringIO
from typing import Any

import pytest

from streams.adapt import AdaptError, Context, FormatOptions, adapter, powermta
from streams.adapt.apart import read_apart
from streams.adapt.canonical import hash_recipient
from streams.adapt.powermta import Accounting
from streams.adapt.powermta_rows import DEFAULT_COLUMNS
from tests.support.powermta_records import AT, BASE, KEY, MORE, PROVIDERS, ms, one, read, row

REPORT = "type,timeLogged,format,userAgent,reportedDomain,reportingMta,rcpt,header_To,header_Return-Path,header_From"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (",,acme.example,,,iris@yahoo.com,<bounce@acme.example>,", ("yahoo", "yahoo.com", "acme.example")),
        (",,acme.example,,rfc822; iris@yahoo.com,,,", ("yahoo", "yahoo.com", "acme.example")),
        (",,,dns;yandexfbl.senderscore.net,0011@email.xxx,,,n@acme.example", ("yandex", "", "acme.example")),
        ("jmrp,,acme.example,,,undisclosed-recipients:;,,", ("microsoft", "", "acme.example")),
        ("arf,JMRP/1.0,acme.example,,redacted,<redacted>,<redacted>,", ("microsoft", "", "acme.example")),
        (",,,dns;rackspacefbl.senderscore.net,iris@harbour.example,,,", ("rackspace", "harbour.example", "")),
        (',,,,,"iris@yahoo.com, juno@aol.com",,', ("other", "", "")),
    ],
)
def test_complaint_whose_recipient_is_hidden_has_the_provider_that_reported(
    values: str, expected: tuple[str, str, str]
) -> None:
    text = f"{REPORT}\nf,2025-03-03 10:11:12+0100,{values}\n"
    (event,) = read(text, FormatOptions(default_customer="acme"))
    assert (event.provider, event.recipient_domain, event.from_domain) == expected


def test_sender_of_a_complaint_is_in_the_mail_that_it_is_about() -> None:
    text = f"{REPORT}\nf,2025-03-03 10:11:12+0100,,,,,,iris@yahoo.com,<bounce+acme+7@out.example>,\n"
    assert read(text, FormatOptions(customer="verp:bounce+{}+*@*"))[0].customer == "acme"


# --- what is no mail, and what was given up ---


@pytest.mark.parametrize("kind", ["d", "b", "t"])
@pytest.mark.parametrize(
    "values",
    [{"orig": ""}, {"orig": "<>"}, {"dlvType": "pipe"}, {"dlvType": "file"}, {"dlvType": "discard"}],
)
def test_notifications_and_what_stays_here_are_no_mail(kind: str, values: dict[str, str]) -> None:
    assert read(f"{MORE}\n" + row(kind, **values)) == []


def test_reports_need_no_sender() -> None:
    assert one("rb", orig="", dsnStatus="5.1.1").type == "bounced"
    assert read("type,timeLogged,rcpt,vmta\nd,1740993072,iris@gmail.com,acme")[0].type == "delivered"


@pytest.mark.parametrize("kind", ["p", "r", "tq", "receipt"])
def test_records_of_other_types_are_no_error(kind: str) -> None:
    assert read(f"{MORE}\n" + row(kind)) == []


REFUSED = "smtp;421 4.7.0 [TSS04] Messages from 192.0.2.51 temporarily deferred due to user complaints"
GAVE_UP = {"dsnAction": "failed", "dsnStatus": "4.4.7 (delivery time expired)", "bounceCat": "message-expired"}


@pytest.mark.parametrize(
    ("before", "last"),
    [
        ([("t", {"dsnStatus": "4.7.0", "dsnDiag": REFUSED})], {"dsnDiag": ""}),
        ([("t", {"dsnStatus": "4.7.0", "dsnDiag": REFUSED}), ("t", {"dsnDiag": "no answer"})], {"dsnDiag": ""}),
        ([("tq", {"dsnStatus": "4.7.0", "dsnDiag": REFUSED})], {"dsnDiag": "delivery time expired"}),
        ([("t", {"dsnDiag": "smtp;451 4.3.0 later"})], {"dsnDiag": REFUSED, "dsnStatus": "4.7.0"}),
    ],
)
def test_expiry_carries_the_last_reply(before: list[tuple[str, dict[str, str]]], last: dict[str, str]) -> None:
    text = f"{MORE}\n" + "".join(row(kind, **values) for kind, values in before)
    event = read(text + row("b", **(GAVE_UP | last)))[-1]
    assert (event.type, event.smtp_code, event.enhanced_status) == ("expired", 421, "4.7.0")
    assert "TSS04" in event.diagnostic


@pytest.mark.parametrize(
    "before",
    [
        [],
        [("t", {"rcpt": "juno@gmail.com", "dsnDiag": REFUSED})],
        [("t", {"dsnDiag": REFUSED}), ("d", {})],
        [("tq", {"dsnDiag": REFUSED}), ("d", {"rcpt": "juno@gmail.com"})],
        [("tq", {"queue": "other/acme-1", "dsnDiag": REFUSED})],
    ],
)
def test_expiry_has_no_reply_that_is_not_its_own(before: list[tuple[str, dict[str, str]]]) -> None:
    text = f"{MORE}\n" + "".join(row(kind, **values) for kind, values in before)
    event = read(text + row("b", **GAVE_UP, dsnDiag=""))[-1]
    assert (event.type, event.smtp_code, event.diagnostic) == ("expired", 0, "")


def test_memory_of_replies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powermta, "MAX_REPLIES", 10)
    accounting = Accounting()
    for number in range(100):
        accounting.adapt(row("t", DEFAULT_COLUMNS, rcpt=f"r{number}@gmail.com").encode(), Context(KEY, PROVIDERS))
    assert len(accounting.memory.replies) <= 10


# --- JSON, other delimiters, other layouts ---


def as_json(kind: str, **values: Any) -> dict[str, Any]:
    """All fields of the type are there, with or without a value; numbers may be numbers."""
    empty = dict.fromkeys(MORE.split(","), "")
    return {**empty, **BASE, "type": kind, "jobId": 44, "orcpt": None, **values}


def test_json_is_read_as_csv_is() -> None:
    records = [as_json("d"), as_json("b", dsnStatus="5.1.1", dsnDiag="smtp;550 a\r\nb"), as_json("r")]
    (first, second) = (event for each in records for event in read(json.dumps(each)))
    assert (first.type, first.customer, first.campaign, first.mx_host) == (
        "delivered", "acme-1", "44", "gmail-smtp-in.l.google.com",
    )  # fmt: skip
    assert first.id == one("d", jobId="44").id
    assert (second.type, second.diagnostic) == ("bounced", "550 a\r\nb")
    for body in ("\n".join(map(json.dumps, records)), json.dumps(records), "\ufeff" + json.dumps(records, indent=1)):
        assert [event.id for event in read(body)] == [first.id, second.id]


def test_type_of_a_log_shipper_is_not_that_of_the_record() -> None:
    (event,) = read(json.dumps({**as_json("pmta"), "logType": "b", "dsnStatus": "5.1.1", "@version": "1"}))
    assert event.type == "bounced"


def test_bad_json_record_is_named_and_costs_itself_alone() -> None:
    body = "\n".join([json.dumps(as_json("d")), json.dumps(as_json("z")), "{", json.dumps(as_json("d", rcpt="j@x.y"))])
    with pytest.raises(AdaptError, match="record 2: field `type`: 'z' is not a record type"):
        read(body)
    found = read_apart(adapter("powermta"), body.encode(), Context(KEY, PROVIDERS), lambda _: None)
    assert found is not None
    assert [event.recipient_domain for event in found.events] == ["gmail.com", "x.y"]
    assert found.reason.startswith("record 2: field `type`")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_other_delimiters(delimiter: str) -> None:
    out = StringIO()
    rows = list(csv.reader(StringIO(f"{MORE}\n" + row("b", dsnStatus="5.0.0", dsnDiag="smtp;550 no, never"))))
    csv.writer(out, delimiter=delimiter).writerows(rows)
    (event,) = read(out.getvalue())
    assert (event.customer, event.diagnostic, event.ip_pool) == ("acme-1", "550 no, never", "shared")
    # A line of a file by itself.
    accounting, context = Accounting(), Context(KEY, PROVIDERS)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    if delimiter == "\t":
        assert lines[1] != out.getvalue().splitlines()[1]
    found = [event for line in lines for event in accounting.adapt(line.encode(), context)]
    assert [each.id for each in found] == [event.id]


def test_records_of_all_types_in_one_file_with_a_restart_in_it() -> None:
    """The columns are those of all types, and empty where a record of that type has none."""
    text = (
        "type,timeQueued,timeLogged,orig,rcpt,bounceCat,dsnStatus,dsnAction,dsnDiag,dsnMta,vmta,header_X-FBLId,format\n"
        "d,1740993070,1740993072,b@a.example,i@gmail.com,,2.0.0,relayed,smtp;250 OK,mx,acme,,\n"
        "t,1740993070,1740993073,b@a.example,j@gmail.com,,4.2.1,delayed,smtp;450 4.2.1 slow,mx,acme,,\n"
        "tq,,1740993073,,,,4.4.1,,smtp;421 busy,,acme,,\n"
        "r,1740993070,1740993070,b@a.example,i@gmail.com,,,,,,acme,,\n"
        "b,1740993070,1740993074,b@a.example,k@gmail.com,bad-mailbox,5.1.1,failed,smtp;550 no,mx,acme,,\n"
        "type,timeLogged,orig,rcpt,bounceCat,dsnStatus,dsnAction,dsnDiag,dsnMta,vmta,header_X-FBLId,format\n"
        "rb,1740993999,,i@gmail.com,bad-mailbox,5.1.1,failed,smtp;550 gone,mx,,acme,\n"
        "f,1740994999,,i@gmail.com,,,,,,,acme,arf\n"
    )
    events = read(text, FormatOptions(customer=("vmta", "header_X-FBLId")))
    assert [(event.type, event.customer, event.asynchronous) for event in events] == [
        ("delivered", "acme", False),
        ("deferred", "acme", False),
        ("bounced", "acme", False),
        ("bounced", "acme", True),
        ("complained", "acme", False),
    ]


@pytest.mark.parametrize(
    ("columns", "values", "expected"),
    [
        ("timeQueued", "2025-03-03 10:11:12+0100", AT),
        ("timeQueued,totalSecondsQueued", "1740993070,2", AT),
        ("timeLogged,timeQueued", ",1740993072", AT),
        ("timeFirstAttempt", "1740993072", AT),
        ("header_Date", "Mon; 3 Mar 2025 10:11:12 +0100", AT),
    ],
)
def test_time_where_it_is_not_logged(columns: str, values: str, expected: datetime) -> None:
    text = f"type,{columns},vmta,rcpt\nb,{values},acme,i@gmail.com".replace("Mon; ", "")
    assert read(text)[0].time_ms == ms(expected)


def test_no_time_at_all_is_an_error() -> None:
    with pytest.raises(AdaptError, match="record 2: neither `timeLogged` nor `timeQueued` is given"):
        read("type,timeLogged,vmta\nf,,acme")


@pytest.mark.parametrize(
    "written",
    [
        "2025-03-03 10:11:12 +0100",
        "2025-03-03 10:11:12+01",
        "2025-03-03T10:11:12.000+01:00",
        "2025-03-03 10:11:12 +0100 (CET)",
        "2025-03-03 09:11:12 UTC",
        "2025-03-03 09:11:12 GMT",
        "2025-03-03 09:11:12Z",
        "1740993072000",
        "1740993072.0",
    ],
)
def test_zones_are_written_in_many_ways(written: str) -> None:
    event = one("d", timeLogged=written, timeQueued=written)
    assert (event.time_ms, event.sent) == (ms(AT), ms(AT))


def test_complaints_of_one_second_are_two() -> None:
    header = "type,timeLogged,format,header_To,header_Return-Path,reportedDomain,header_X-FBLId\n"
    lines = "f,1740993072,arf,{}@yahoo.com,<bounce@acme.example>,acme.example,17-9\n"
    text = header + lines.format("iris") + lines.format("juno")
    first, second = read(text, FormatOptions(customer="header_X-FBLId"))
    assert first.id != second.id
    assert (first.customer, first.provider, first.from_domain) == ("17-9", "yahoo", "acme.example")


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("header_X-HmXmrOriginalRecipient", "iris@hotmail.com"),
        ("rcpt", "iris@hotmail.com"),
        ("header_To", '"Iris" <iris@hotmail.com>'),
        ("header_To,header_X-HmXmrOriginalRecipient", "undisclosed-recipients:;,iris@hotmail.com"),
    ],
)
def test_complaint_at_microsoft(columns: str, values: str) -> None:
    quoted = values.replace('"Iris"', "Iris")
    (event,) = read(f"type,timeLogged,vmta,{columns}\nf,1740993072,acme,{quoted}")
    assert (event.provider, event.recipient_hash) == ("microsoft", hash_recipient("iris@hotmail.com", KEY))


def test_reply_that_no_event_may_hold_spoils_no_later_one() -> None:
    accounting, context = Accounting(), Context(KEY, PROVIDERS)
    with pytest.raises(AdaptError, match="NUL"):
        accounting.adapt(row("t", DEFAULT_COLUMNS, dsnDiag=REFUSED.replace("TSS04", "T\0")).encode(), context)
    (event,) = accounting.adapt(row("b", DEFAULT_COLUMNS, **GAVE_UP, dsnDiag="").encode(), context)
    assert (event.type, event.smtp_code) == ("expired", 421)
