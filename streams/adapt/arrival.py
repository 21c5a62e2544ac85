"""When a mail came to us, for those that tell no date themselves. Pure.

Whoever puts a mail into a mailbox tells it in `Delivery-Date`, as Exim does. What takes mail in writes it where it
surely knows: LMTP, HTTP, the first line of a mail in a mailbox file, the name of one in a Maildir. A mail's own date,
and that of the last host, take precedence. Reports in JSON (XARF) have it above them, alone: see `streams.adapt.xarf`.
"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from streams.adapt.mime import Headers, date_ms
from streams.adapt.xarf import arrived_xarf, is_xarf

FIELD = "Delivery-Date"
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
#: Before mail was sent over the Internet, or after computers count: what a clock that was never set says.
_YEARS = range(1982, 10_000)
#: JSON that is no report, and a mailbox file: their first line is none of a mail.
_NO_MAIL = (b"{", b"[", b"From ")


def stamped(mail: bytes, moment_ms: int) -> bytes:
    """The mail with the time at which it came (epoch ms, UTC); as it is where it is no single mail or that is no
    time."""
    alone = is_xarf(mail)
    if not alone and mail[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_NO_MAIL):
        return mail
    try:
        moment = _BEGIN + timedelta(milliseconds=moment_ms)
    except OverflowError:
        return mail
    if moment.year not in _YEARS:
        return mail
    field = f"{FIELD}: {format_datetime(moment)}".encode()
    return arrived_xarf(mail, field) if alone else field + b"\r\n" + mail


def arrived_ms(headers: Headers) -> int | None:
    """When the mail came (epoch ms, UTC); None where nothing tells."""
    return date_ms(headers.get(FIELD))
