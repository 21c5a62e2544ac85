"""Which files are read, and in which order: files, folders, patterns, Maildirs.

Logs are read in the order of the first time in each, not by name: `maillog.10` comes after `maillog.9` and was written
before it. Where none is found in a file, it is as old as the file was last changed.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import glob
from io import BytesIO
from itertools import islice
from pathlib import Path

from jobs.resend.bad_records import BadRecord
from jobs.resend.file_kind import HEAD_RECORDS, NOBODY
from jobs.resend.ingest_file import LOGS, read_events
from jobs.resend.unpack import unpacked
from schemas.settings import SettingsError
from schemas.times import SECOND_MS
from streams.adapt import MAILS, AdaptError, Context, exim, postfix_entry
from streams.adapt.syslog import container_text, read_line
from streams.adapt.syslog_times import full_time

#: Standard input.
STDIN = "-"
#: So much of a log is looked at for its first time, in bytes.
HEAD_BYTES = 100_000
#: The time of a line of Exim's own log.
_EXIM = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ([+-]\d{4}))? ", re.ASCII)
_PATTERN = re.compile(r"[*?\[]")
#: The time in s with which the name of a mail in one begins.
_DELIVERED = re.compile(r"(\d{9,11})\.", re.ASCII)
#: What a Maildir has (https://cr.yp.to/proto/maildir.html); mails in `tmp` are not all there.
_MAILDIR = ("new", "cur")


@dataclass(frozen=True, slots=True)
class Input:
    """What is read and spoken of as one: a file, standard input (without paths), or the mails of a folder."""

    name: str
    paths: tuple[Path, ...] = ()
    is_folder: bool = False


def find_inputs(words: Sequence[str], format_name: str, context: Context) -> list[Input]:
    """What these words name, each file once: the mails of a folder in the order of their names, logs in that of time.

    Raises:
        SettingsError: one names nothing, or a file cannot be read.
        AdaptError: a file is packed, and cannot be unpacked.
    """
    if STDIN in words and len(words) > 1:
        raise SettingsError(f"{STDIN} is standard input, which is read alone")
    found: dict[Path, Input] = {}
    for word in words:
        for each in [Input(STDIN)] if word == STDIN else _named(word, format_name):
            found.setdefault(Path(each.name).resolve(), each)
    inputs = list(found.values())
    # A pipe can be read once, so nobody can look at its time first.
    if format_name in MAILS or len(inputs) < 2 or not all(path.is_file() for each in inputs for path in each.paths):
        return inputs
    return sorted(inputs, key=lambda each: _began_ms(each.paths[0], format_name, context))


def _named(word: str, format_name: str) -> Iterator[Input]:
    path = Path(word)
    if path.is_dir():
        yield from _folder(path, format_name)
    elif path.exists():
        yield Input(word, (path,))
    elif path.is_symlink() or not _PATTERN.search(word):
        try:
            path.stat()
        except OSError as error:  # there is none, or links go round
            raise SettingsError(f"{word}: cannot be read: {error.strerror}") from error
    else:
        matching = sorted(glob(word, recursive=True))  # noqa: PTH207 - also absolute patterns
        if not matching:
            raise SettingsError(f"{word}: no file has such a name")
        for each in matching:
            yield from _named(each, format_name)


def _folder(folder: Path, format_name: str) -> Iterator[Input]:
    try:
        files = tuple(sorted(_files(folder)))
    except OSError as error:
        raise SettingsError(f"{error.filename or folder}: cannot be read: {error.strerror}") from error
    if format_name in MAILS:
        yield Input(str(folder), files, is_folder=True)
    elif not files:
        raise SettingsError(f"{folder}: has no files")
    else:
        yield from (Input(str(each), (each,)) for each in files)


def _files(folder: Path) -> Iterator[Path]:
    """Files in a folder and those below it; hidden ones are passed over, as are links to folders, and what a Maildir
    has besides its mails."""
    if all((folder / each).is_dir() for each in _MAILDIR):
        for each in _MAILDIR:
            yield from _files(folder / each)
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not path.is_symlink():
            yield from _files(path)


def is_of_maildir(path: Path) -> bool:
    """Whether it is one mail, as of all files in a Maildir; another file may be a mailbox file."""
    return path.parent.name in _MAILDIR


def delivered_ms(path: Path) -> int:
    """When a mail was put into a Maildir (epoch ms): its name begins with that, in s; else when it was last written.

    Raises:
        SettingsError: it is gone.
    """
    if found := _DELIVERED.match(path.name):
        return int(found[1]) * SECOND_MS
    try:
        return round(path.stat().st_mtime * SECOND_MS)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def _began_ms(path: Path, format_name: str, context: Context) -> int:
    """When what is in a file began (epoch ms)."""
    try:
        changed_ms = round(path.stat().st_mtime * SECOND_MS)
        with path.open("rb") as file:
            head = unpacked(file, str(path))[0].read(HEAD_BYTES)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    found = first_ms(head, format_name, context)
    return changed_ms if found is None else found


def first_ms(head: bytes, format_name: str, context: Context) -> int | None:
    """The first time in the beginning of a file (epoch ms); None where none is found."""
    options = context.options(format_name)
    if format_name in (postfix_entry.NAME, exim.NAME):
        for line in islice(head.splitlines(), HEAD_RECORDS):
            text = line.decode("utf-8", "replace").strip()
            with suppress(AdaptError):
                if found := _EXIM.match(text) or _EXIM.match(container_text(text)):
                    return full_time(found[1], found[2], found[3], found[4], options.time_zone)
                return read_line(text, options.time_zone, context.now_ms()).time_ms
        return None
    named = replace(options, default_customer=options.default_customer or NOBODY)
    mapping = {**context.mapping, format_name: named}
    whole = head[: head.rfind(b"\n") + 1] or head if format_name in LOGS else head
    events = read_events(BytesIO(whole), format_name, replace(context, mapping=mapping))
    return next((each.time_ms for each in islice(events, HEAD_RECORDS) if not isinstance(each, BadRecord)), None)
