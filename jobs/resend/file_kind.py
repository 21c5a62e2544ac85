"""What a file is that is not what it was said to be: packed, in another encoding, or of another format.

Asked only for files of which little or nothing could be read, so a look at the beginning is enough.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import IO

from jobs.resend.bad_records import BadRecord
from jobs.resend.ingest_file import read_events
from streams.adapt import EVERY_FORMAT, FORMATS, Context

#: How much of the beginning is kept and looked at, in bytes, and how many of its records.
HEAD_BYTES = 1_000_000
HEAD_RECORDS = 200
#: Files that are no text, by their first bytes (their formats' specifications), and what makes text of them. What
#: else is packed is unpacked by `jobs.resend.unpack`. `{}` is the file.
PACKED: dict[bytes, tuple[str, str]] = {
    b"\x04\x22\x4d\x18": ("packed with lz4", "lz4 -dc {}"),
    b"PK\x03\x04": ("packed with zip", "unzip -p {}"),
    b"\xff\xfe": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 {}"),
    b"\xfe\xff": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 {}"),
}
#: Any name will do for the customer of records that name none: the question is whether they can be read.
NOBODY = "nobody"
NAMES = {
    "canonical": "repmon's own JSON",
    "kumomta": "KumoMTA",
    "sendgrid": "SendGrid",
    "socketlabs": "SocketLabs",
    "arf": "a feedback report (ARF)",
    "dsn": "a delivery status notification",
    "postfix": "Postfix",
    "exim": "Exim",
    "powermta": "PowerMTA",
    "ses": "Amazon SES",
    "mailgun": "Mailgun",
    "postmark": "Postmark",
    "sparkpost": "SparkPost",
    "mailjet": "Mailjet",
    "brevo": "Brevo",
    "mandrill": "Mandrill",
    "mailersend": "MailerSend",
    "resend": "Resend",
    "postal": "Postal",
    "mailtrap": "Mailtrap",
    "unisender": "Unisender Go",
    "hetrixtools": "HetrixTools",
    "listings": "repmon's own listings",
}


class KeepsHead:
    """A file being read whose beginning is kept."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._head = bytearray()

    @property
    def head(self) -> bytes:
        """What was read first, up to `HEAD_BYTES`."""
        return bytes(self._head)

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or all."""
        return self._kept(self._stream.read(size))

    def readline(self, size: int = -1, /) -> bytes:
        """A line, or so many bytes of it."""
        return self._kept(self._stream.readline(size))

    def _kept(self, data: bytes) -> bytes:
        if (room := HEAD_BYTES - len(self._head)) > 0:
            self._head += data[:room]
        return data


def packed(head: bytes) -> tuple[str, str] | None:
    """What the first bytes say that a file is other than text, and the command that makes text of it, with `{}` for the
    file; None for text."""
    return next((known for magic, known in PACKED.items() if head.startswith(magic)), None)


def likely_formats(head: bytes, format_name: str, context: Context) -> list[str]:
    """The formats, other than `format_name`, of which most of these records can be read; the likeliest first, and more
    than one only where they are as likely."""
    if len(head) >= HEAD_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    others = [name for name in EVERY_FORMAT if name != format_name]
    named = {name: replace(context.options(name), default_customer=NOBODY) for name in FORMATS}
    # Records that name their customer tell formats apart best; those that do not are of some format too.
    for each in (context, replace(context, mapping=named)):
        found = {name: _understood(head, name, each) for name in others}
        if most := max(found.values()):
            return [name for name, events in found.items() if events == most]
    return []


def _understood(head: bytes, format_name: str, context: Context) -> int:
    """How many events there are among the first records; 0 where more records are bad."""
    outcomes: Iterator[object] = islice(read_events(BytesIO(head), format_name, context), HEAD_RECORDS)
    good = bad = 0
    for each in outcomes:
        if isinstance(each, BadRecord):
            bad += 1
        else:
            good += 1
    return good if good >= bad else 0


def looks_like(formats: list[str]) -> str:
    """`looks like SendGrid: --format sendgrid`; empty where nothing is known."""
    if not formats:
        return ""
    names = " or ".join(NAMES[each] for each in formats)
    return f"looks like {names}: {' or '.join(f'--format {each}' for each in formats)}"
