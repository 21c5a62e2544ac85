"""What is named to be read, one after another, with one memory: a mail that was queued before the log was rotated keeps
its customer."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from jobs.resend.bad_records import BadRecord, BadRecords
from jobs.resend.file_kind import KeepsHead
from jobs.resend.ingest_file import AnyAdapter, Event, read_events, read_mail, reader
from jobs.resend.inputs import STDIN, Input, delivered_ms, is_of_maildir
from jobs.resend.unpack import unpacked
from jobs.resend.years import WithYears, Years, years_of
from schemas.settings import SettingsError
from streams.adapt import MAILS, Context, exim, postfix_entry

#: Logs whose lines may have no year.
YEARLESS = frozenset({postfix_entry.NAME, exim.NAME})


@dataclass
class ReadInput:
    """What was read of one input: how many events, what was bad, how it began (bytes), what is wrong with it itself."""

    name: str
    events: int = 0
    bad: BadRecords = field(default_factory=BadRecords)
    head: bytes = b""
    problems: list[str] = field(default_factory=list)


class InputsReader:
    """Reads inputs in the order given. `check` is given the first bytes of each file and its name, and raises
    AdaptError for what cannot be read; once an input is read `done` is told what was read of it."""

    def __init__(
        self,
        inputs: Sequence[Input],
        format_name: str,
        context: Context,
        check: Callable[[bytes, str], None],
        done: Callable[[ReadInput], None],
    ) -> None:
        """Nothing is read yet.

        Raises:
            AdaptError: there is no such format.
        """
        self._inputs = inputs
        self._format_name = format_name
        self._context = context
        self._check = check
        self._done = done
        self._adapt: AnyAdapter = reader(format_name)
        self._years: Years | None = None

    def events(self) -> Iterator[Event | BadRecord]:
        """The events of all, and in their place the records that are bad.

        Raises:
            SettingsError: a file cannot be read.
            AdaptError: a file is packed, and no text can be had of it.
        """
        if self._format_name in YEARLESS:
            paths = (path for each in self._inputs for path in each.paths if path.is_file())
            self._years = years_of(paths, self._context.now_ms())
        for each in self._inputs:
            outcome = ReadInput(each.name)
            for found in self._mails(each, outcome) if each.is_folder else self._file(each, outcome):
                if isinstance(found, BadRecord):
                    outcome.bad.add(found)
                else:
                    outcome.events += 1
                yield found
            self._done(outcome)

    def _file(self, each: Input, outcome: ReadInput) -> Iterator[Event | BadRecord]:
        with _opened(each) as file:
            stream, packing = unpacked(file, each.name)
            self._check(stream.peek(8), each.name)
            source = KeepsHead(stream)
            if self._format_name in MAILS and any(map(is_of_maildir, each.paths)):
                yield from read_mail(source, self._adapt, self._context, delivered_ms(each.paths[0]))
            else:
                lines = WithYears(source, self._years) if self._years else source
                yield from read_events(lines, self._format_name, self._context, self._adapt)
            outcome.head = outcome.head or source.head
            if packing.problem:
                outcome.problems.append(packing.problem)

    def _mails(self, folder: Input, outcome: ReadInput) -> Iterator[Event | BadRecord]:
        """A bad mail has its name for its place."""
        for path in folder.paths:
            name = str(path.relative_to(folder.name))
            try:
                for found in self._file(Input(str(path), (path,)), outcome):
                    yield _named(found, name) if isinstance(found, BadRecord) else found
            except SettingsError:
                # Other programs move mails, and delete them.
                yield BadRecord(1, 1, "it is gone, or cannot be read", "mail", name)


def _named(bad: BadRecord, name: str) -> BadRecord:
    """Which mail of a folder it is; of a mailbox file in it, which mail of that."""
    return replace(bad, name=f"{bad.line:,} of {name}" if bad.word == "mail" else name, word="mail")


@contextmanager
def _opened(each: Input) -> Iterator[IO[bytes]]:
    if each.name == STDIN and not each.paths:
        yield sys.stdin.buffer
        return
    try:
        file = Path(each.paths[0]).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SettingsError(f"{each.name}: cannot be read: {error.strerror}") from error
    with file:
        yield file
