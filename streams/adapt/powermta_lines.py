"""PowerMTA's accounting files line by line, as they grow: a line end within quotes ends no record (RFC 4180)."""

from dataclasses import dataclass, field

from schemas.event import MAX_EVENT_BYTES, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.powermta import Accounting, AccountingMemory
from streams.adapt.powermta_rows import begins_record, is_open

#: A record may have so many lines: a diagnostic text has a few.
MOST_LINES = 100


@dataclass(slots=True)
class LinesMemory:
    """What is remembered of a file: of its records, and the lines of one that has not ended yet."""

    records: AccountingMemory
    begun: list[bytes] = field(default_factory=list)


class AccountingLines:
    """Lines of one file in their order."""

    def __init__(self) -> None:
        """Begin without memory."""
        self._accounting = Accounting()
        self._begun: list[bytes] = []

    @property
    def memory(self) -> LinesMemory:
        """What was told so far."""
        return LinesMemory(self._accounting.memory, self._begun)

    @memory.setter
    def memory(self, memory: LinesMemory) -> None:
        self._accounting.memory, self._begun = memory.records, memory.begun

    def adapt(self, line: bytes, context: Context) -> list[MailEvent]:
        """The events of the record that ends with the line.

        Raises:
            AdaptError: as `Accounting.adapt`; also where a record before was cut off. Then the line is read with the
                next one.
        """
        if not self._begun and not is_open([line]):
            return self._accounting.adapt(line, context)
        events: list[MailEvent] = []
        if self._begun and not is_open(self._begun):
            whole, self._begun = self._begun, [line]
            events = self._accounting.adapt(b"\n".join(whole), context)
        elif self._begun and begins_record(line):
            torn, self._begun = self._begun, [line]
            raise AdaptError(f"the record before was cut off within quotes: {torn[0][:80]!r}")
        else:
            self._begun.append(line)
        if is_open(self._begun):
            self._check_size()
            return events
        whole, self._begun = self._begun, []
        try:
            return events + self._accounting.adapt(b"\n".join(whole), context)
        except AdaptError:
            if not events:
                raise
            self._begun = whole
            return events

    def _check_size(self) -> None:
        if len(self._begun) > MOST_LINES or sum(map(len, self._begun)) > MAX_EVENT_BYTES:
            begun, self._begun = self._begun, []
            raise AdaptError(f"a quote is open for {len(begun)} lines: {begun[0][:80]!r}")
