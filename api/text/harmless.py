"""Text from outside, made safe for a terminal: the one way through which everything goes that is printed."""

import codecs
import unicodedata
from functools import lru_cache

#: Loaded now: its first use may be the log line of a process that has no file handle left to load it with.
codecs.lookup("unicode_escape")


def harmless(text: str) -> str:
    """Text that is one line and cannot steer a terminal: what is not printed as itself is escaped (`\\x1b`, `\\n`).

    Tabs and the blanks of other scripts are kept. What has a meaning for `rich` (markup, emoji codes) is left alone: it
    is for the printer to take it as text.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def harmless_json(text: str) -> str:
    """The same of JSON without blanks around its values: as JSON it means what it meant before."""
    return text if text.isprintable() else "".join(map(_escaped_in_json, text))


def harmless_lines(text: str) -> str:
    """The same of several lines: ends of lines (`\\n`) are kept."""
    return "\n".join(map(harmless, text.split("\n")))


@lru_cache(maxsize=1_024)
def _escaped(character: str) -> str:
    if character.isprintable() or character == "\t" or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()


@lru_cache(maxsize=1_024)
def _escaped_in_json(character: str) -> str:
    if _escaped(character) == character:
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
