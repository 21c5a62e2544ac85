"""What SNDS answers about a day, or of blocked addresses, becomes readings. Pure.

A day has a line of 13 or 14 columns for each address, without a header line: address, begin and end of the activity,
RCPT commands, DATA commands, message recipients, filter result, complaint rate, begin and end of the trap messages,
trap hits, sample HELO, sample MAIL FROM, comments (https://sendersupport.olc.protection.outlook.com/snds/FAQ.aspx,
"Automated Data Access"). Its REST interface of 2026 answers with the same lines, which public programs have also seen
with a header line, and as JSON. A day without enough mail has no line. Blocked addresses have lines of first and last
address, whether they are blocked, and why ("IP Status" there).
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from ipaddress import ip_address
from typing import Any, NamedTuple

import msgspec

from jobs.poll.reading import AnswerError, ProviderReading

#: What is read of a line: by the names of columns, without blanks and in lower case, and where it stands without names.
ADDRESS = ("ipaddress", "ip")
RECIPIENTS = ("messagerecipients", "recipients")
FILTER_RESULT = ("filterresult", "filterresults", "overallstatus")
COMPLAINT_RATE = ("complaintrate", "complaintrates")
TRAP_HITS = ("traphits", "spamtraphits")
DAY_COLUMNS = {ADDRESS: 0, RECIPIENTS: 5, FILTER_RESULT: 6, COMPLAINT_RATE: 7, TRAP_HITS: 10}
FIRST = ("beginningipaddress", "firstip", "startip", "startingipaddress", "ipaddress", "ip", "first")
LAST = ("endingipaddress", "lastip", "endip", "last")
BLOCKED = ("blocked", "isblocked")
REASON = ("details", "detail", "reason", "description")
STATUS_COLUMNS = {FIRST: 0, LAST: 1, BLOCKED: 2, REASON: 3}
RESULTS = ("GREEN", "YELLOW", "RED")
#: Of a larger range no address is named.
MOST_ADDRESSES = 1_024
#: Where a list stands in an object.
_LISTS = ("value", "items", "data", "results")
_RATE = re.compile(r"(<)?\s*(\d{1,3}(?:\.\d+)?)\s*%")
_WORD = re.compile(r"[^a-z]")

#: Names by which a column may be called.
Names = tuple[str, ...]
Columns = Mapping[Names, int]


class DayRead(NamedTuple):
    """The readings of a day, and what of its lines could not be read."""

    readings: list[ProviderReading]
    faults: list[str]


def day_file(body: bytes, day: date) -> DayRead:
    """The readings of `day`. A line that cannot be read costs itself alone. Empty where SNDS has nothing of the day.

    Raises:
        AnswerError: it is no such file, such as a page that asks to sign in.
    """
    return _read(body, day, f"SNDS data of {day}", DAY_COLUMNS, _line)


def blocked_addresses(body: bytes, today: date) -> DayRead:
    """What Microsoft blocks: a reading of each address. As `day_file` otherwise."""
    return _read(body, today, "SNDS status of addresses", STATUS_COLUMNS, _blocked)


Line = Callable[[Mapping[Names, str], date], list[ProviderReading]]


def _read(body: bytes, day: date, who: str, columns: Columns, line: Line) -> DayRead:
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise AnswerError(f"{who}: not UTF-8") from error
    if text[:1] == "<":
        raise AnswerError(f"{who}: a web page in place of the data: is the key right?")
    found: dict[tuple[str, str], ProviderReading] = {}
    faults: list[str] = []
    try:
        for number, fields in _objects(text, columns) if text[:1] in ("{", "[") else _rows(text, columns):
            try:
                for each in _of_line(line, fields, day):
                    found[each.resource, each.measure] = _worse(found.get((each.resource, each.measure)), each)
            except ValueError as error:
                faults.append(f"{who}: line {number}: {error}")
    except (csv.Error, msgspec.DecodeError, RecursionError) as error:
        raise AnswerError(f"{who}: neither CSV nor JSON: {error}") from error
    if faults and not found:
        raise AnswerError(faults[0])
    return DayRead(list(found.values()), faults)


def _of_line(line: Line, fields: Mapping[Names, str] | str, day: date) -> list[ProviderReading]:
    if isinstance(fields, str):
        raise ValueError(fields)  # noqa: TRY004 - it is what is wrong with the line
    return line(fields, day)


def _rows(text: str, columns: Columns) -> Iterator[tuple[int, dict[Names, str] | str]]:
    """Lines of CSV by the names of their columns, which the first line may have; or what is wrong with one."""
    places, least = columns, max(columns.values()) + 1
    for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
        names = [_WORD.sub("", each.lower()) for each in row] if number == 1 else []
        if any(one in names for one in next(iter(columns))):
            places = {wanted: next((names.index(one) for one in wanted if one in names), -1) for wanted in columns}
            least = 0
        elif any(each.strip() for each in row):
            short = f"{len(row)} columns in place of {least} or more" if len(row) < least else ""
            yield number, short or {wanted: _cell(row, place) for wanted, place in places.items()}


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if 0 <= place < len(row) else ""


def _objects(text: str, columns: Columns) -> Iterator[tuple[int, dict[Names, str] | str]]:
    decoded: Any = msgspec.json.decode(text)
    if isinstance(decoded, dict):
        decoded = next((decoded[name] for name in _LISTS if isinstance(decoded.get(name), list)), [decoded])
    for number, record in enumerate(decoded if isinstance(decoded, list) else [], 1):
        if isinstance(record, dict):
            fields = {_WORD.sub("", name.lower()): value for name, value in record.items()}
            yield (
                number,
                {wanted: _text(next((fields[one] for one in wanted if one in fields), "")) for wanted in columns},
            )


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _line(fields: Mapping[Names, str], day: date) -> list[ProviderReading]:
    address = str(ip_address(fields[ADDRESS]))
    result = fields[FILTER_RESULT].upper()
    if result not in RESULTS:
        raise ValueError(f"filter result {fields[FILTER_RESULT][:40]!r}: not one of {', '.join(RESULTS)}")

    def reading(**what: object) -> ProviderReading:
        return ProviderReading(source="snds", resource=address, day=day, **what)  # type: ignore[arg-type]

    found = [
        reading(measure="filter_result", said=result),
        reading(measure="recipients", number=_number(fields[RECIPIENTS], "recipients")),
        reading(measure="trap_hits", number=_number(fields[TRAP_HITS] or "0", "trap hits")),
    ]
    if written := fields[COMPLAINT_RATE]:
        match = _RATE.fullmatch(written)
        rate = float(match[2]) / 100 if match else 2.0
        if match is None or rate > 1:
            raise ValueError(f"complaint rate {written[:40]!r}: not a percentage")
        found.append(reading(measure="complaint_rate", rate=rate, below=match[1] is not None))
    return found


def _blocked(fields: Mapping[Names, str], day: date) -> list[ProviderReading]:
    first = ip_address(fields[FIRST])
    last = ip_address(fields[LAST] or fields[FIRST])
    if fields[BLOCKED].lower() not in ("true", "1", "yes"):
        return []
    many = int(last) - int(first) + 1
    if first.version != last.version or not 1 <= many <= MOST_ADDRESSES:
        raise ValueError(f"{first} to {last}: not a range of 1 to {MOST_ADDRESSES:,} addresses")
    why = fields[REASON][:200] or "blocked"
    return [
        ProviderReading(source="snds", resource=str(first + place), day=day, measure="blocked", said=why)
        for place in range(many)
    ]


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError(f"{what} {text[:40]!r}: not a number")
    return int(text)


def _worse(one: ProviderReading | None, other: ProviderReading) -> ProviderReading:
    """An address may have several activities in a day: their numbers are added, of all else the worst is taken."""
    if one is None or one.measure == "blocked":
        return other
    if one.number is not None and other.number is not None:
        return ProviderReading(
            source="snds",
            resource=one.resource,
            day=one.day,
            measure=one.measure,
            number=one.number + other.number,
        )
    return max(
        one, other, key=lambda each: (RESULTS.index(each.said) if each.said else 0, each.rate or 0, not each.below)
    )
