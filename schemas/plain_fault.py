"""What is wrong with a value of a file that people write, in their words: the decoder (msgspec) names types of Python
and JSON. Pure."""

import re
from collections.abc import Callable, Sequence

#: The decoder's types, as they are called in a file.
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of names and values",
    "datetime": "a time",
    "date": "a day",
    "null": "nothing",
}
_PLACED = re.compile(r"(.*) - at (?:`key` in )?`\$\.?(.*)`", re.DOTALL)
_BOUNDS = {"<=": "at most", ">=": "at least", "<": "less than", ">": "more than", "==": "exactly"}
_OF_LENGTH = {"str": "character", "array": "entry", "object": "entry"}


def placed(message: str) -> tuple[str, str]:
    """The path of a value in a file, empty for the whole of it, and what msgspec said of it."""
    found = _PLACED.fullmatch(message)
    return (found[2], found[1]) if found else ("", message)


def field_first(message: str) -> str:
    """What msgspec said, in plain words after the path: `topic.name: must be text, not a whole number`."""
    path, said = placed(message)
    return f"{path}: {in_plain_words(said)}" if path else in_plain_words(said)


def in_plain_words(said: str) -> str:
    """What msgspec said of a value, without the path of where it is: "Expected `float | null`, got `str`" as
    "must be a number, not text". What is not known here stays as it is."""
    for pattern, worded in _SAID:
        if found := pattern.fullmatch(said):
            return worded(found)
    return said


def _kinds(types: str) -> str:
    """Nothing is no choice where there are others: a field that may be nothing is left out."""
    names = types.split(" | ")
    wanted = [each for each in names if each != "null"] or names
    return " or ".join(dict.fromkeys(_KINDS.get(each, each) for each in wanted))


def _number(text: str) -> str:
    """Decimal places that say nothing are left out, large whole numbers grouped."""
    whole = text.removesuffix(".0")
    return f"{int(whole):,}" if whole.removeprefix("-").isdecimal() else text


def _counted(count: int, what: str) -> str:
    many = {"character": "characters", "entry": "entries"}[what]
    return f"{count:,} {what if count == 1 else many}"


_TYPES = r"`([a-z0-9 |]+)`"
#: What the decoder says, and how to say it.
_SAID: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = (
    (
        re.compile(r"Expected `datetime` with a timezone component"),
        lambda _: "must be a time with its time zone, as 2026-01-31T12:00:00Z",
    ),
    (
        re.compile(r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)"),
        lambda found: f"must be {_BOUNDS[found[1]]} {_number(found[2])}",
    ),
    (
        re.compile(r"Expected `(str|array|object)` of length (<=|>=|==) (\d+)"),
        lambda found: f"must have {_BOUNDS[found[2]]} {_counted(int(found[3]), _OF_LENGTH[found[1]])}",
    ),
    (
        re.compile(r"Expected `str` matching regex (.*)", re.DOTALL),
        lambda found: f"must be text that matches {found[1]}",
    ),
    (re.compile(r"Object missing required field `(.*)`", re.DOTALL), lambda found: f"`{found[1]}` is missing"),
    (
        re.compile(rf"Expected {_TYPES}, got {_TYPES}"),
        lambda found: f"must be {_kinds(found[1])}, not {_kinds(found[2])}",
    ),
    (re.compile(r"Invalid (?:enum )?value (.*)", re.DOTALL), lambda found: f"there is no {found[1]}"),
    (re.compile(rf"Expected {_TYPES}"), lambda found: f"must be {_kinds(found[1])}"),
)
