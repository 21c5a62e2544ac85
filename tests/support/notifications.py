"""Delivery status notifications, as tests write them, and what is read of them."""

from datetime import UTC, datetime

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
from tests.support.mails import ORIGINAL, fields, report

PROVIDERS = load_providers()
KEY = b"a key"
ABOUT = (
    "Reporting-MTA: dns; mx.example.net",
    "X-Postfix-Queue-ID: 4XyQ1",
    "Arrival-Date: Mon, 3 Mar 2025 09:00:01 +0000",
)
FAILED = (
    "Final-Recipient: rfc822; iris@gmail.com",
    "Action: failed",
    "Status: 5.1.1",
    "Diagnostic-Code: smtp; 550-5.1.1 The account does not",
    "    exist. Try again",
)
NOTIFIED = datetime(2025, 3, 3, 9, 11, 12, tzinfo=UTC)


def read(raw: bytes, options: FormatOptions | None = None) -> list[MailEvent]:
    return adapter("dsn")(raw, Context(KEY, PROVIDERS, {} if options is None else {"dsn": options}))


def dsn(
    *recipients: tuple[str, ...], options: FormatOptions | None = None, original: str = ORIGINAL, **headers: str
) -> list[MailEvent]:
    content = "\n".join(fields(*group) for group in (ABOUT, *recipients))
    return read(report("delivery-status", content, original, **headers), options)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
