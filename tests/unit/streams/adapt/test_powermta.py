"""PowerMTA accounting records."""

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import AdaptError, Context, FormatOptions, adapter, powermta
from streams.adapt.apart import read_apart
from streams.adapt.canonical import hash_recipient
from streams.adapt.powermta import Accounting
from streams.adapt.powermta_rows import DEFAULT_COLUMNS

PROVIDERS = load_providers()
KEY = b"a key"
AT = datetime(2025, 3, 3, 9, 11, 12, tzinfo=UTC)
BASE = {
    "timeLogged": "2025-03-03 10:11:12+0100",
    "timeQueued": "2025-03-03 10:11:10+0100",
    "orig": "bounce@mail.acme.example",
    "rcpt": "iris@gmail.com",
    "dsnAction": "relayed",
    "dsnStatus": "2.0.0 (success)",
    "dsnDiag": "smtp;250 2.0.0 OK",
    "dsnMta": "gmail-smtp-in.l.google.com (192.0.2.26)",
    "srcType": "smtp",
    "dlvSourceIp": "192.0.2.51",
    "dlvDestinationIp": "192.0.2.26",
    "vmta": "acme-1",
    "jobId": "weekly-44",
    "queue": "gmail.com/acme-1",
    "vmtaPool": "shared",
}
MORE = (
    f"{DEFAULT_COLUMNS},header_X-Customer,header_From,header_Message-Id,"
    "feedbackType,format,userAgent,reportingMta,reportedDomain,repSourceIp"
)


def row(kind: str, columns: str = MORE, **values: str) -> str:
    named = {
        name.replace("header_X_", "header_X-").replace("Message_Id", "Message-Id"): v for name, v in values.items()
    }
    record = {"type": kind} | BASE | named
    out = StringIO()
    csv.writer(out).writerow([record.get(column, "") for column in columns.split(",")])
    return out.getvalue()


def read(text: str, options: FormatOptions | None = None) -> list[MailEvent]:
    mapping = {} if options is None else {"powermta": options}
    return adapter("powermta")(text.encode(), Context(KEY, PROVIDERS, mapping))


def one(kind: str, options: FormatOptions | None = None, /, **values: str) -> MailEvent:
    (event,) = read(f"{MORE}\r\n" + row(kind, **values), options)
    return event


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_delivery_with_all_that_it_tells() -> None:
    event = one("d", header_From='"News, weekly" <n@acme.example>', header_Message_Id="<m1@acme.example>")
    assert (event.type, event.time_ms, event.asynchronous) == ("delivered", ms(AT), False)
    assert (event.customer, event.stream, event.campaign) == ("acme-1", "default", "weekly-44")
    assert (event.recipient, event.recipient_hash) == ("", hash_recipient("iris@gmail.com", KEY))
    assert (event.provider, event.mx_host) == ("gmail", "gmail-smtp-in.l.google.com")
    assert (event.sending_ip, event.ip_pool) == ("192.0.2.51", "shared")
    assert (event.from_domain, event.message_id) == ("acme.example", "m1@acme.example")
    assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (250, "2.0.0", "250 2.0.0 OK")


@pytest.mark.parametrize(
    ("kind", "values", "expected", "late"),
    [
        ("d", {}, "delivered", False),
        ("delivery", {}, "delivered", False),
        ("b", {"dsnStatus": "5.1.1 (bad destination mailbox address)"}, "bounced", False),
        ("bounce", {"dsnStatus": "5.1.1"}, "bounced", False),
        ("b", {"dsnStatus": "4.4.7 (delivery time expired)"}, "expired", False),
        ("b", {"dsnStatus": "5.0.0", "bounceCat": "message-expired"}, "expired", False),
        ("t", {"dsnStatus": "4.2.2 (mailbox full)"}, "deferred", False),
        ("rb", {"dsnStatus": "5.1.1"}, "bounced", True),
        ("rb", {"dsnStatus": "4.4.7", "dsnDiag": ""}, "expired", True),
        ("rb", {"dsnStatus": "4.2.2", "dsnDiag": "smtp;452 4.2.2 full"}, "expired", True),
        ("rs", {"dsnAction": "failed", "dsnStatus": "5.0.0"}, "bounced", True),
        ("rs", {"dsnAction": "delayed", "dsnStatus": "4.0.0"}, "deferred", False),
        ("f", {"feedbackType": "abuse"}, "complained", False),
    ],
)
def test_record_types(kind: str, values: dict[str, str], expected: str, late: bool) -> None:
    event = one(kind, **values)
    assert (event.type, event.asynchronous) == (expected, late)


@pytest.mark.parametrize(
    ("kind", "action"), [("r", ""), ("tq", ""), ("rs", "delivered"), ("rs", "relayed"), ("rs", "expanded")]
)
def test_records_that_tell_nothing_new_are_left_out(kind: str, action: str) -> None:
    assert read(f"{MORE}\n" + row(kind, dsnAction=action)) == []


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("bad-mailbox", "invalid_recipient"),
        ("inactive-mailbox", "inactive_mailbox"),
        ("bad-domain", "bad_domain"),
        ("quota-issues", "quota"),
        ("no-answer-from-host", "connection"),
        ("routing-errors", "routing_dns"),
        ("virus-related", "virus"),
        ("spam-related", ""),
        ("policy-related", ""),
        ("other", ""),
        ("", ""),
    ],
)
def test_category_is_taken_where_it_says_one_thing(category: str, expected: str) -> None:
    event = one("b", dsnStatus="5.0.0", dsnDiag="smtp;550 no", bounceCat=category)
    assert (event.bounce_class, event.smtp_code) == (expected, 550)


@pytest.mark.parametrize(
    ("kind", "values", "address"),
    [
        ("d", {"orcpt": "rfc822;juno@x.example"}, "iris@gmail.com"),
        ("rb", {"orcpt": "rfc822;juno@x.example"}, "juno@x.example"),
        ("rb", {"orcpt": ""}, "iris@gmail.com"),
        ("d", {"rcpt": "", "orcpt": "juno@x.example"}, "juno@x.example"),
    ],
)
def test_recipient_is_the_address_that_was_sent_to(kind: str, values: dict[str, str], address: str) -> None:
    assert one(kind, **values).recipient_hash == hash_recipient(address, KEY)


def test_report_of_a_feedback_loop() -> None:
    event = one("f", feedbackType="opt-out", repSourceIp="192.0.2.52", dlvSourceIp="")
    assert (event.feedback_type, event.sending_ip, event.provider) == ("opt-out", "192.0.2.52", "gmail")
    event = one("f", rcpt="", reportingMta="dns;arf.mail.yahoo.com")
    assert (event.feedback_type, event.recipient_domain, event.provider) == ("abuse", "", "yahoo")


@pytest.mark.parametrize(
    ("kind", "written", "sent"),
    [
        ("f", "Mon, 03 Mar 2025 09:00:00 +0000", 1_740_992_400_000),
        ("f", "some day", 0),
        ("f", "", 0),
        ("d", "Mon, 03 Mar 2025 09:00:00 +0000", 1_740_993_070_000),
    ],
)
def test_message_was_sent_when_it_was_queued_and_a_report_has_its_date(kind: str, written: str, sent: int) -> None:
    columns = f"{MORE},header_Date"
    (event,) = read(f"{columns}\n" + row(kind, columns, **{"header_Date": written}))
    assert event.sent == sent


@pytest.mark.parametrize(
    ("options", "customer"),
    [
        (FormatOptions(), "acme-1"),
        (FormatOptions(customer="vmtaPool"), "shared"),
        (FormatOptions(customer="JOBID"), "weekly-44"),
        (FormatOptions(customer="header_X-Customer"), "acme"),
        (FormatOptions(customer="sender"), "mail.acme.example"),
        (FormatOptions(customer="envId", default_customer="house"), "house"),
        (FormatOptions(customer="no such column", default_customer="house"), "house"),
    ],
)
def test_customer_comes_from_the_column_that_is_configured(options: FormatOptions, customer: str) -> None:
    assert one("d", options, header_X_Customer="acme").customer == customer


def test_stream_comes_from_the_column_that_is_configured() -> None:
    assert one("d", FormatOptions(stream="vmtaPool")).stream == "shared"


def test_pool_comes_from_the_column_that_is_configured_where_it_has_a_value() -> None:
    assert one("d", FormatOptions(pool="srcType")).ip_pool == "smtp"
    assert one("d", FormatOptions(pool="envId")).ip_pool == "shared"


def test_no_customer_is_an_error_that_names_record_and_column() -> None:
    with pytest.raises(AdaptError, match="record 2: no value at `envId`, and no default customer is configured"):
        one("d", FormatOptions(customer="envId"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1740993072", AT),
        ("2025-03-03 10:11:12+0100", AT),
        ("2025-03-03T09:11:12Z", AT),
        ("2025-03-03 10:11:12", AT),
    ],
)
def test_times(written: str, expected: datetime) -> None:
    options = FormatOptions(time_zone=ZoneInfo("Europe/Berlin"))
    assert one("d", options, timeLogged=written).time_ms == ms(expected)


# --- columns ---


def test_records_without_a_header_line_have_the_columns_of_the_vendor() -> None:
    (event,) = read(row("d", DEFAULT_COLUMNS))
    assert (event.customer, event.ip_pool) == ("acme-1", "shared")


def test_records_without_a_header_line_have_the_configured_columns() -> None:
    options = FormatOptions(columns="type, timeLogged, rcpt, vmta")
    (event,) = read("d,1740993072,iris@gmail.com,acme", options)
    assert (event.customer, event.recipient_domain) == ("acme", "gmail.com")


def test_header_line_takes_precedence_over_the_configuration() -> None:
    """It holds until the next header line."""
    text = "type,timeLogged,vmta,rcpt\nd,1,a,i@x.example\ntype,rcpt,timeLogged,vmta\nd,i@y.example,1,b\n"
    events = read(text, FormatOptions(columns="type,timeLogged"))
    assert [(event.customer, event.recipient_domain) for event in events] == [("a", "x.example"), ("b", "y.example")]


def test_header_line_is_remembered_within_a_file() -> None:
    accounting, context = Accounting(), Context(KEY, PROVIDERS)
    assert accounting.adapt(b"\xef\xbb\xbftype,timeLogged,vmta,rcpt", context) == []
    assert accounting.adapt(b"d,1740993072,acme,i@x.example", context)[0].customer == "acme"


def test_quoted_fields_may_hold_commas_quotes_and_line_ends() -> None:
    event = one("b", dsnStatus="5.0.0", dsnDiag='smtp;550 no, "never"\r\nat all')
    assert event.diagnostic == '550 no, "never"\r\nat all'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the message is empty"),
        (" , \n", "the message is empty"),
        ("d,1,2", "the record has 3 fields, the configured columns are 23"),
        ("type,timeLogged,rcpt\nd,1", "record 2: the record has 2 fields, the header line has 3"),
        ("type,rcpt\n", "the columns must begin with `type` and include `timeLogged` or `timeQueued`"),
        ("type,timeLogged,vmta\nz,1,a", "record 2: field `type`: 'z' is not a record type of PowerMTA"),
        ("type,timeLogged,vmta\nd,noon,a", "record 2: field `timeLogged`: 'noon' is neither epoch seconds nor"),
        ("type,timeLogged,vmta\nd,1" + " " * 99_999 + "1,a", "record 2: field `timeLogged`: '1 +' is neither"),
        ("type,timeLogged,vmta\nd," + "1" * 9_999 + ",a", "record 2: field `timeLogged`: '1+' is neither"),
        ("type,timeLogged,vmta\nd,1,a\0", "NUL"),
        ("type,timeLogged,vmta\nd,1,a" + "x" * 200_000, "the message is not CSV: field larger than field limit"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(AdaptError, match=message):
        read(text)


def test_columns_that_are_configured_wrongly_are_named() -> None:
    with pytest.raises(AdaptError, match="the columns must begin with `type`"):
        read("d,1", FormatOptions(columns="timeLogged,type"))


def test_ids_are_stable_and_tell_the_records_of_a_message_apart() -> None:
    assert one("d").id == one("d").id
    assert len({one("d").id, one("rb").id, one("t").id, one("t", timeLogged="1740993073").id}) == 4


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
