"""Lines of Exim's main log, as tests write them, and what is read of them."""

from datetime import UTC, datetime

from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions, adapter
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
