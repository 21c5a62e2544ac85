"""Languages, read from files and checked before any mail is written.

A file is TOML (`texts/en.toml` is the model). An own file for a language that comes with the project gives only what is
said otherwise; another language says everything.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from jobs.mail.page_phrases import PagePhrases
from jobs.mail.phrases import CAUSES, METRICS, Language, fault_of
from schemas.settings import SettingsError
from schemas.toml_lines import line_of, lines
from schemas.written_file import read_written

BUILT_IN = Path(__file__).parent / "texts"
#: The name of a language's file: a tag of BCP 47.
TAG = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def load_languages(folder: str = "") -> dict[str, Language]:
    """The languages that come with the project and those of `folder`, by their tags.

    Raises:
        SettingsError: a file cannot be read or used; naming file and line.
    """
    if folder and not Path(folder).is_dir():
        raise SettingsError(f"mail.folder: {folder}: there is no such folder")
    own = {file.stem: file for file in sorted(Path(folder).glob("*.toml"))} if folder else {}
    built_in = {file.stem: file for file in sorted(BUILT_IN.glob("*.toml"))}
    found = {}
    for tag in {**built_in, **own}:
        if not TAG.fullmatch(tag):
            raise SettingsError(
                f"mail.folder: {own[tag]}: is not named after a language, such as fr.toml or pt-BR.toml"
            )
        above = _read(built_in[tag]) if tag in built_in else {}
        found[tag] = _language(above, own.get(tag, built_in.get(tag, BUILT_IN)))
    return found


def fitting(tag: str, known: Collection[str]) -> str:
    """The language of these that fits best: `de` for `de-AT` where there is no `de-AT`, whatever the case of letters
    (RFC 4647 section 3.4); empty where none does."""
    names = {each.lower(): each for each in known}
    tag = tag.lower()
    while tag and tag not in names:
        tag = tag.rpartition("-")[0]
    return names.get(tag, "")


def page_of(known: Mapping[str, Language], tag: str, standard: str) -> tuple[str, Language, PagePhrases]:
    """What the customer's own page says in a language: its tag and its phrases. Where there is no such language it is
    the standard one; an own language that says nothing of the page has the headings of that, else the English ones."""
    tag = fitting(tag, known) or standard
    page = next(each.page for each in (known[tag], known[standard], known["en"]) if each.page is not None)
    return tag, known[tag], page


def _language(above: dict[str, Any], file: Path) -> Language:
    """The language of a file, over what is known of it."""
    table = _read(file)
    known = lines(read_written(file))

    def fault(path: str, said: str) -> SettingsError:
        line = line_of(tuple(path.split(".")), known)
        return SettingsError(f"mail.folder: {file}:{line}: {path}: {said}" if path else f"mail.folder: {file}: {said}")

    merged = _merged(above, table)
    try:
        language = msgspec.convert(merged, Language)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `")
        raise fault(_place(where), said[0].lower() + said[1:]) from error
    for group, names in (("metrics", METRICS), ("causes", CAUSES)):
        if missing := [name for name in names if name not in getattr(language, group)]:
            raise fault(group, f"says nothing of {missing[0]}")
    for path, phrase in _phrases(merged):
        if said := fault_of(path, phrase):
            raise fault(path, said)
    return language


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_written(file))
    except OSError as error:
        raise SettingsError(f"mail.folder: {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"mail.folder: {file}: not UTF-8: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"mail.folder: {file}: not valid TOML: {error}") from error


def _merged(above: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    both = dict(above)
    for name, value in table.items():
        before = both.get(name)
        both[name] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def _place(where: str) -> str:
    """`$.metrics[...].happened.one` as `metrics`, as far as it can be told which one is meant."""
    found = re.search(r"\$\.?([^`\[]*)", where)
    return found[1] if found else ""


def _phrases(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _phrases(value, f"{above}{name}.")
        else:
            yield from ((f"{above}{name}", each) for each in ([value] if isinstance(value, str) else value))
