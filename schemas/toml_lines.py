"""On which line each key and each element of a TOML text stands: what `tomllib` does not tell.

TOML 1.0.0 (https://toml.io/en/v1.0.0). Only for text that `tomllib` has read: nothing is checked here.
"""

import re
import tomllib
from collections import Counter

#: Keys, and places in lists, from the top.
Path = tuple[str | int, ...]

_SKIPPED = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
#: Long strings before short ones, since they begin alike; up to two quotes may stand before the closing three.
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")


def lines(text: str) -> dict[Path, int]:
    """The line (from 1) on which each key and each element of a list begins.

    A table has the line of its header, or where it has none that of its first key.
    """
    return _Reader(text.replace("\r\n", "\n")).document()


def line_of(path: Path, known: dict[Path, int]) -> int:
    """The line of what `path` leads to, or where that is not there, of the nearest that holds it; 1 if nothing does."""
    while path and path not in known:
        path = path[:-1]
    return known.get(path, 1)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line, self._counted = 1, 0
        self._found: dict[Path, int] = {}
        #: How many elements each array of tables has so far.
        self._elements: Counter[Path] = Counter()

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._found

    def _header(self) -> Path:
        line, doubled = self._here(), self._text.startswith("[[", self._at)
        self._at += 2 if doubled else 1
        self._skip()
        *above, last = self._key()
        table: Path = ()
        for part in above:
            table = self._newest((*table, part))
            self._note(table, line)
        table = (*table, last)
        self._note(table, line)
        if doubled:
            self._elements[table] += 1
        table = self._newest(table)
        self._note(table, line)
        self._skip()
        self._at += 2 if doubled else 1
        return table

    def _newest(self, table: Path) -> Path:
        """The table itself, or the newest element where it is an array of them."""
        count = self._elements[table]
        return (*table, count - 1) if count else table

    def _pair(self, table: Path) -> None:
        line, path = self._here(), table
        for part in self._key():
            path = (*path, part)
            self._note(path, line)
        self._skip()
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            place = 0
            self._at += 1
            while not self._closed("]"):
                self._note((*path, place), self._here())
                self._value((*path, place))
                place += 1
        elif opening == "{":
            self._at += 1
            while not self._closed("}"):
                self._pair(path)
        else:
            found = _STRING.match(self._text, self._at) or _PLAIN.match(self._text, self._at)
            self._at = found.end() if found else len(self._text)

    def _closed(self, bracket: str) -> bool:
        """Whether the list or table ends here; the bracket, or the comma before the next element, is passed."""
        self._skip()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip()
        if self._at < len(self._text) and self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def _key(self) -> list[str]:
        parts = []
        while True:
            if bare := _BARE.match(self._text, self._at):
                parts.append(bare[0])
                self._at = bare.end()
            elif quoted := _STRING.match(self._text, self._at):
                parts.append(str(tomllib.loads(f"key = {quoted[0]}")["key"]))
                self._at = quoted.end()
            dot = _DOT.match(self._text, self._at)
            if dot is None:
                return parts
            self._at = dot.end()

    def _skip(self) -> None:
        found = _SKIPPED.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _note(self, path: Path, line: int) -> None:
        self._found.setdefault(path, line)
