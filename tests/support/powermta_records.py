"""Records of PowerMTA, as tests write them, and what is read of them."""

import csv
from datetime import UTC, datetime
from io import StringIO

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
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
