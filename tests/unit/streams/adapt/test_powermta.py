"""PowerMTA accounting records."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streams.adapt import AdaptError, Context, FormatOptions
from streams.adapt.canonical import hash_recipient
from streams.adapt.powermta import Accounting
from streams.adapt.powermta_rows import DEFAULT_COLUMNS
from tests.support.powermta_records import AT, KEY, MORE, PROVIDERS, ms, one, read, row


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
