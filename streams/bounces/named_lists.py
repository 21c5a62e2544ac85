"""Which blocklists a refusal names: a receiver's own evidence that an address or domain is listed. Pure.

What names a list is data, `schemas/named_lists.toml`.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

import schemas
from schemas.errors import InvalidInputError
from schemas.plain_fault import field_first
from schemas.written_file import read_written

DEFAULT_FILE = Path(schemas.__file__).parent / "named_lists.toml"
#: What is looked at of a diagnostic, in characters; the list's page may stand at its end.
MAX_TEXT = 2000

Phrase = Annotated[str, msgspec.Meta(pattern=r"\A[^A-Z]{4,}\Z")]
Code = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]{4,}\Z")]

_WORD = re.compile(r"[a-z0-9]+")
#: What Postfix, Exim, Sendmail and others write before the zone; one quantifier after the other: linear time.
_BLOCKED_USING = re.compile(
    r"\b(?:blocked (?:using|by|with)|rejected by|listed (?:in|on|at|by)|found (?:in|on)|blacklisted (?:by|at|on|in)|"
    r"blocklisted (?:by|at|on|in)) (?:the )?(?:dnsbl |rbl )?([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,9})"
)


class NamedListsError(InvalidInputError):
    """The table cannot be used; the message names the file, the list and the field."""


class ListNames(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How one list is named. The file explains the fields."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    zone: str = ""
    any: tuple[Phrase, ...] = ()
    codes: tuple[Code, ...] = ()
    unless: tuple[Phrase, ...] = ()
    source: str = ""


class NamedList(NamedTuple):
    """A list that a diagnostic names. `zone` is where to ask it, empty where it cannot be asked or is not known."""

    name: str
    zone: str = ""


def lists_named_in(diagnostic: str, known: Sequence[ListNames] | None = None) -> tuple[NamedList, ...]:
    """The lists that the diagnostic names, in the order of the table; at last the host names it blocks by otherwise."""
    text = " ".join(diagnostic[:MAX_TEXT].lower().split())
    words = set(_WORD.findall(text))
    table = default_table() if known is None else known
    matched = [each for each in table if _applies(each, text, words)]
    found = [NamedList(each.name, each.zone) for each in matched]
    phrases = [phrase for each in matched for phrase in each.any]
    # Under a key of the receiver's own, the known part is the end of the name.
    found += [
        NamedList(host)
        for host in _BLOCKED_USING.findall(text)
        if not any(phrase in host or host in phrase for phrase in phrases)
    ]
    return tuple(dict.fromkeys(found))


@cache
def default_table() -> tuple[ListNames, ...]:
    """The table that comes with the project."""
    return load_named_lists(DEFAULT_FILE)


def load_named_lists(file: Path) -> tuple[ListNames, ...]:
    """The table in `file`.

    Raises:
        NamedListsError: the file cannot be read, is not TOML, or breaks the schema.
    """
    try:
        table = tomllib.loads(read_written(file))
    except OSError as error:
        raise NamedListsError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NamedListsError(f"{file}: not valid TOML: {error}") from error
    entries: Any = table.get("list")
    if set(table) != {"list"} or not isinstance(entries, list):
        raise NamedListsError(f"{file}: nothing but [[list]] entries are known")
    return tuple(_entry(file, number, entry) for number, entry in enumerate(entries, 1))


def _entry(file: Path, number: int, entry: Any) -> ListNames:
    try:
        made = msgspec.convert(entry, ListNames)
    except msgspec.ValidationError as error:
        raise NamedListsError(f"{file}: list number {number}: {field_first(str(error))}") from error
    if not made.any and not made.codes:
        raise NamedListsError(f"{file}: list {made.name}: neither `any` nor `codes`: nothing could name it")
    return made


def _applies(each: ListNames, text: str, words: set[str]) -> bool:
    if any(phrase in text for phrase in each.unless):
        return False
    return any(phrase in text for phrase in each.any) or not words.isdisjoint(each.codes)
