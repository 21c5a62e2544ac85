"""Form bodies (webhooks that are no JSON): RFC 7578 multipart/form-data and URL-encoded fields."""

import re
from urllib.parse import parse_qsl

from schemas.event import MAX_EVENT_BYTES
from streams.adapt.base import AdaptError

#: Fields in one form; the webhooks we read have a few dozen.
MAX_FIELDS = 1_000
#: The longest boundary and the two hyphens before it (RFC 2046 section 5.1.1).
_MAX_BOUNDARY = 72

_NAME = re.compile(rb'^content-disposition:[^\r\n]*?;[ \t]*name="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)

#: The values of each field, in the order of the body: a name may be given more than once.
Form = dict[str, list[str]]


def is_form(raw: bytes) -> bool:
    """Whether the body is a form rather than JSON."""
    start = raw[:1024].lstrip()
    return bool(start) and start[:1] not in b'{["' and (start.startswith(b"--") or b"=" in start)


def form_fields(raw: bytes, most: int = MAX_EVENT_BYTES) -> Form:
    """The fields of a form of either kind, of at most `most` bytes.

    Raises:
        AdaptError: too large, too many fields, not UTF-8, or parts without an end or a name.
    """
    if len(raw) > most:
        raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {most:,}")
    body = raw.strip()
    found: Form = {}
    for name, value in _parts(body) if body.startswith(b"--") else _pairs(body):
        found.setdefault(name, []).append(value)
    return found


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError as error:
        raise AdaptError(f"the form is not UTF-8 text: {error.reason}") from error
    except ValueError as error:
        raise AdaptError(f"the form has more than {MAX_FIELDS:,} fields") from error


def _parts(body: bytes) -> list[tuple[str, str]]:
    """The boundary is the first line of the body: what the request's header said of it is no longer known."""
    boundary = body.split(b"\n", 1)[0].rstrip()
    if len(boundary) > _MAX_BOUNDARY or not body.endswith(boundary + b"--"):
        raise AdaptError("the form's parts do not end with their boundary")
    parts = body[: -len(boundary) - 2].split(boundary, MAX_FIELDS + 1)[1:]
    if len(parts) > MAX_FIELDS:
        raise AdaptError(f"the form has more than {MAX_FIELDS:,} fields")
    return [_part(part.lstrip(b"\r\n"), number) for number, part in enumerate(parts, start=1)]


def _part(part: bytes, number: int) -> tuple[str, str]:
    head, gap, value = part.replace(b"\r\n", b"\n").partition(b"\n\n")
    name = _NAME.search(head)
    if not gap or name is None:
        raise AdaptError(f"part {number} of the form has no name")
    try:
        return name[1].decode(), value.removesuffix(b"\n").decode()
    except UnicodeDecodeError as error:
        raise AdaptError(f"part {number} of the form is not UTF-8 text (byte {error.start} of its value)") from error
