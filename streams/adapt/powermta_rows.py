"""PowerMTA's accounting records as they are read: CSV (RFC 4180), the same with another delimiter, or JSON.

PowerMTA User's Guide, "Accounting": the first column is always the type, and where a file has records of several types
the columns are those of all, empty where a record has none. JSON has an object a line and no header line. Log shippers
put such objects into arrays, and may have a `type` of their own: then PowerMTA's is `logType`.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import StringIO
from typing import Any, NamedTuple

import msgspec

from streams.adapt.base import AdaptError
from streams.adapt.common import decode
from streams.adapt.json_parts import json_parts, one_message

#: A record by lower-cased field.
Record = Mapping[str, str]

DEFAULT_COLUMNS = (
    "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,srcType,srcMta,dlvType,"
    "dlvSourceIp,dlvDestinationIp,dlvEsmtpAvailable,dlvSize,vmta,jobId,envId,queue,vmtaPool"
)
_LONG_NAMES = {
    "delivery": "d",
    "bounce": "b",
    "transient": "t",
    "transient-queue": "tq",
    "remote-bounce": "rb",
    "remote-status": "rs",
    "feedback-loop": "f",
    "receipt": "r",
    "received": "r",
    "reception": "r",
}
_KNOWN = frozenset({"d", "b", "t", "tq", "rb", "rs", "f", "r", "p"})
#: One of these tells when it was.
TIMES = ("timelogged", "timequeued", "timefirstattempt", "header_date")
#: What stands behind the first column, which holds nothing but a word.
_DELIMITER = re.compile(r'"?[ ]{0,3}[A-Za-z][\w-]{0,30}[ ]{0,3}"?[ ]{0,3}([,\t;|])')
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
#: So many header lines are remembered with what they name: messages of one file begin with the same.
_HEADER_LINES = 64
_BOM = b"\xef\xbb\xbf"


class FieldRow(NamedTuple):
    """A row of fields. Where tabs stand between them, blanks that were cut off its end were empty fields."""

    fields: list[str]
    by_tabs: bool = False


def is_json(raw: bytes) -> bool:
    """Whether the records are JSON."""
    # Nearly every line begins with the letter of its type.
    return not raw[:1].isalpha() and raw.removeprefix(_BOM).lstrip()[:1] in (b"{", b"[")


def rows_of(raw: bytes) -> list[FieldRow | bytes]:
    """The rows of a message, header lines among them; of JSON the text of each object.

    Raises:
        AdaptError: it is empty, or no CSV.
    """
    if is_json(raw):
        return list(json_parts(raw.removeprefix(_BOM)))
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    found = _DELIMITER.match(text.lstrip())
    try:
        delimiter = found[1] if found else ","
        rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        kept: list[FieldRow | bytes] = [FieldRow(row, delimiter == "\t") for row in rows if any(map(str.strip, row))]
    except csv.Error as error:
        raise AdaptError(f"the message is not CSV: {error}") from error
    if not kept:
        raise AdaptError("the message is empty")
    return kept


def parts(raw: bytes) -> list[bytes]:
    """The records of a message, each a message by itself: a line end within quotes ends none."""
    return json_parts(raw) if is_json(raw) else _csv_parts(raw)


def joined(some: list[bytes]) -> bytes:
    """A message of these records."""
    return one_message(some) if some and is_json(some[0]) else b"\n".join(some)


def _csv_parts(raw: bytes) -> list[bytes]:
    found: list[bytes] = []
    begun: list[bytes] = []
    quotes = 0
    for line in raw.split(b"\n"):
        begun.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            found.append(b"\n".join(begun))
            begun, quotes = [], 0
    # A quote that nothing closes: each line by itself.
    return [record for record in found + begun if record.strip()]


def is_open(lines: list[bytes]) -> bool:
    """Whether a quote is open at the end of these lines, so that the next one belongs to the same record."""
    return bool(lines) and not is_json(lines[0]) and sum(line.count(b'"') for line in lines) % 2 == 1


def begins_record(line: bytes) -> bool:
    """Whether a line begins as a record or a header line does, and leaves no quote open."""
    found = _DELIMITER.match(line[:60].decode("utf-8", "replace"))
    word = found[0].strip(' ",\t;|') if found else ""
    return (type_of(word) is not None or word.lower() == "type") and not is_open([line])


def record_of_json(raw: bytes) -> Record:
    """The fields of an object.

    Raises:
        AdaptError: it is none, or its type is none of PowerMTA's.
    """
    record = {name.lower(): _text(value) for name, value in decode(_OBJECT, raw).items()}
    name = record.get("type", "")
    if type_of(name) is None and "logtype" in record:
        name = record["logtype"]
    return record | {"type": _known_type(name)}


def names_of(row: Iterable[str]) -> tuple[str, ...]:
    """The columns of a header line.

    Raises:
        AdaptError: it does not begin with `type`, or has no time.
    """
    return _names_of(tuple(row))


@lru_cache(maxsize=_HEADER_LINES)
def _names_of(row: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(each.strip().lower() for each in row)
    if names[0] != "type" or not any(each in names for each in TIMES):
        raise AdaptError("the columns must begin with `type` and include `timeLogged` or `timeQueued`")
    return names


def record_of_row(row: FieldRow, columns: tuple[str, ...], origin: str) -> Record:
    """The fields of a row; `origin` says where the columns are from.

    Raises:
        AdaptError: its type is none of PowerMTA's, or it has other columns.
    """
    fields, by_tabs = row
    name = _known_type(fields[0].strip())
    if by_tabs and len(fields) < len(columns):
        fields = fields + [""] * (len(columns) - len(fields))
    if len(fields) != len(columns):
        raise AdaptError(f"the record has {len(fields)} fields, {origin} {len(columns)}")
    record = dict(zip(columns, map(str.strip, fields), strict=True))
    record["type"] = name
    return record


def type_of(name: str) -> str | None:
    """The short name of a type of records; None for what is none."""
    name = name.strip().lower()
    name = _LONG_NAMES.get(name, name)
    return name if name in _KNOWN else None


def _known_type(name: str) -> str:
    found = type_of(name)
    if found is None:
        raise AdaptError(f"field `type`: {name.lower()[:40]!r} is not a record type of PowerMTA")
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return "" if value is None or isinstance(value, dict) else str(value)
