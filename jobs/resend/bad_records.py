"""Records that could not be read, by reason: a file of another format has a thousand of them and one reason."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

#: How many reasons are distinguished. A reason that names what a record says differs in every record.
MOST_REASONS = 1_000
#: How many reasons are shown.
SHOWN = 10
#: Numbers, and what is quoted from a record, differ where the reason is the same.
VARYING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+""")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: its line and its place in that line's array, both from 1, and why.

    Of a mailbox `line` is the mail's number and `word` is "mail"; of a folder of mails `name` is the mail's.
    """

    line: int
    record: int
    reason: str
    word: str = "line"
    name: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for a person to read."""
        place = f"{self.word} {self.name or format(self.line, ',')}"
        return place if self.record == 1 else f"{place}, record {self.record:,}"

    def __str__(self) -> str:
        """For a person to read."""
        return f"{self.place}: {self.reason}"


@dataclass(slots=True)
class BadReason:
    """One reason: the first record that has it, and how many have."""

    first: BadRecord
    count: int = 1

    def __str__(self) -> str:
        """For a person to read."""
        return str(self.first) if self.count == 1 else f"{self.count:,} records, the first at {self.first}"


class BadRecords:
    """Takes records that could not be read in the order of the file; `count` is how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._reasons: dict[str, BadReason] = {}

    def add(self, bad: BadRecord) -> None:
        """Count one."""
        self.count += 1
        key = VARYING.sub("N", bad.reason)
        if (known := self._reasons.get(key)) is not None:
            known.count += 1
        elif len(self._reasons) < MOST_REASONS:
            self._reasons[key] = BadReason(bad)

    @property
    def reasons(self) -> list[BadReason]:
        """The reasons, the most frequent first; of those as frequent, the one met first."""
        return sorted(self._reasons.values(), key=lambda each: -each.count)

    def lines(self) -> Iterator[str]:
        """What to tell of them, a line each."""
        shown = self.reasons[:SHOWN]
        yield from map(str, shown)
        if more := self.count - sum(each.count for each in shown):
            yield f"{more:,} more for other reasons"
