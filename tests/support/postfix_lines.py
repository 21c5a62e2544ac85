"""Lines of Postfix, as tests write them, and what is read of them."""

from datetime import UTC, datetime

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter

PROVIDERS = load_providers()
KEY = b"a key"
HOUSE = FormatOptions(default_customer="house")
NOW = datetime(2025, 3, 3, 12, tzinfo=UTC)
GOOGLE = "relay=gmail-smtp-in.l.google.com[192.0.2.26]:25"
SENT = f"to=<iris@gmail.com>, {GOOGLE}, delay=1.2, delays=0/0/0.5/0.7, dsn=2.0.0, status=sent (250 2.0.0 OK gsmtp)"
ID = "4XyQ1z3vBKzJrT"
TO = f"{ID}: to=<a@b.example>"


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def context(options: FormatOptions = HOUSE, now: datetime = NOW) -> Context:
    return Context(KEY, PROVIDERS, {"postfix": options}, clock=lambda: ms(now))


def line(text: str, service: str = "smtp", *, at: str = "2025-03-03T10:11:12.5+01:00", name: str = "postfix") -> str:
    return f"{at} mx1 {name}/{service}[811]: {text}"


def read(*lines: str, options: FormatOptions = HOUSE, now: datetime = NOW) -> list[MailEvent]:
    return adapter("postfix")("\n".join(lines).encode(), context(options, now))


def said(text: str, service: str = "smtp") -> list[MailEvent]:
    return read(line(f"{ID}: {text}", service))


ABOUT = (
    line(f"{ID}: client=app[192.0.2.9], sasl_method=PLAIN, sasl_username=acme", "submission/smtpd"),
    line(
        f"{ID}: info: header X-Customer: Acme Ltd from app[192.0.2.9]; from=<n@acme.example> to=<i@x.example>",
        "cleanup",
    ),
    line(f"{ID}: message-id=<weekly-44@acme.example>", "cleanup"),
    line(f"{ID}: from=<bounce@mail.acme.example>, size=1200, nrcpt=1 (queue active)", "qmgr"),
)
