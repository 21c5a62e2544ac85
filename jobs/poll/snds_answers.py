"""SNDS's automated data access: the CSV of a day becomes readings. Pure.

The file has no header line and 13 or 14 columns: address, begin and end of the activity, RCPT commands, DATA commands,
message recipients, filter result, complaint rate, begin and end of the trap messages, trap hits, sample HELO, sample
MAIL FROM, comments (https://sendersupport.olc.protection.outlook.com/snds/FAQ.aspx, "Automated Data Access"). A day
without enough mail has no line.
"""

import csv
import io
import re
from datetime import date
from ipaddress import ip_address
from typing import NamedTuple

from jobs.poll.reading import AnswerError, ProviderReading

ADDRESS, RECIPIENTS, FILTER_RESULT, COMPLAINT_RATE, TRAP_HITS = 0, 5, 6, 7, 10
#: Up to the trap hits; what follows are samples and comments.
LEAST_COLUMNS = 11
RESULTS = ("GREEN", "YELLOW", "RED")
_RATE = re.compile(r"(<)?\s*(\d{1,3}(?:\.\d+)?)\s*%")


class DayRead(NamedTuple):
    """The readings of a day, and what of its lines could not be read."""

    readings: list[ProviderReading]
    faults: list[str]


def day_file(body: bytes, day: date) -> DayRead:
    """The readings of `day`. A line that cannot be read costs itself alone. Empty where SNDS has nothing of the day.

    Raises:
        AnswerError: it is no such file, such as a page that asks to sign in.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswerError(f"SNDS data of {day}: not UTF-8") from error
    if text.lstrip()[:1] == "<":
        raise AnswerError(f"SNDS data of {day}: a web page in place of the data: is the key right?")
    found: dict[tuple[str, str], ProviderReading] = {}
    faults: list[str] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            if not any(each.strip() for each in row) or (number == 1 and row[0].strip().lower().startswith("ip")):
                continue
            try:
                for each in _line([cell.strip() for cell in row], day):
                    found[each.resource, each.measure] = _worse(found.get((each.resource, each.measure)), each)
            except ValueError as error:
                faults.append(f"SNDS data of {day}: line {number}: {error}")
    except csv.Error as error:
        raise AnswerError(f"SNDS data of {day}: not CSV: {error}") from error
    if faults and not found:
        raise AnswerError(faults[0])
    return DayRead(list(found.values()), faults)


def _line(row: list[str], day: date) -> list[ProviderReading]:
    if len(row) < LEAST_COLUMNS:
        raise ValueError(f"{len(row)} columns in place of {LEAST_COLUMNS} or more")
    address = str(ip_address(row[ADDRESS]))
    result = row[FILTER_RESULT].upper()
    if result not in RESULTS:
        raise ValueError(f"filter result {row[FILTER_RESULT][:40]!r}: not one of {', '.join(RESULTS)}")

    def reading(**what: object) -> ProviderReading:
        return ProviderReading(source="snds", resource=address, day=day, **what)  # type: ignore[arg-type]

    found = [
        reading(measure="filter_result", said=result),
        reading(measure="recipients", number=_number(row[RECIPIENTS], "recipients")),
        reading(measure="trap_hits", number=_number(row[TRAP_HITS] or "0", "trap hits")),
    ]
    if written := row[COMPLAINT_RATE]:
        match = _RATE.fullmatch(written)
        rate = float(match[2]) / 100 if match else 2.0
        if match is None or rate > 1:
            raise ValueError(f"complaint rate {written[:40]!r}: not a percentage")
        found.append(reading(measure="complaint_rate", rate=rate, below=match[1] is not None))
    return found


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError(f"{what} {text[:40]!r}: not a number")
    return int(text)


def _worse(one: ProviderReading | None, other: ProviderReading) -> ProviderReading:
    """An address may have several activities in a day: their numbers are added, of all else the worst is taken."""
    if one is None:
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
