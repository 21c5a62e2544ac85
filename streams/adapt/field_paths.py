"""Paths to fields of a record: where an operator says that the customer or the stream is found."""

from typing import Any

import msgspec

#: What a `{"name": ..., "value": ...}` pair may call its name (headers, tags, meta data).
_NAMES = ("name", "key")
#: How the text of a JSON object or array begins.
_OPENING = ("{", "[")
#: JSON text inside a field is read up to this length, in characters.
_MAX_INNER = 100_000


def find_field(path: str, record: object) -> str:
    """The text or whole number at `path`: field names with dots between them; empty if there is none.

    A field name may itself contain dots, and letter case counts only where two names differ in nothing else.
    A list of name and value pairs is read as the object it stands for, of any other list the first element;
    text that is a JSON object or array is looked into.
    """
    # Nearly always the path is a field of the record, and its value a name.
    if isinstance(record, dict):
        value = record.get(path)
        if isinstance(value, str) and value[:1] not in _OPENING:
            return value.strip()
    here, rest = _opened(record), path
    while rest:
        if not isinstance(here, dict):
            return ""
        if (whole := _member(here, rest)) is not None:
            here, rest = _opened(whole), ""
        else:
            name, _, rest = rest.partition(".")
            here = _opened(_member(here, name))
    if isinstance(here, str):
        return here.strip()
    return str(here) if isinstance(here, int) and not isinstance(here, bool) else ""


def _member(fields: dict[str, Any], name: str) -> object:
    if name in fields:
        return fields[name]
    wanted = name.lower()
    return next((value for key, value in fields.items() if key.lower() == wanted), None)


def _opened(value: object) -> object:
    if isinstance(value, str) and value[:1] in _OPENING and len(value) <= _MAX_INNER:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    if isinstance(value, list):
        pairs = _pairs(value)
        return pairs if pairs else (value[0] if value else None)
    return value


def _pairs(values: list[Any]) -> dict[str, Any]:
    """The object for which a list of pairs stands; of two pairs with one name the first counts."""
    found: dict[str, Any] = {}
    for each in values:
        if isinstance(each, dict) and "value" in {key.lower() for key in each}:
            folded = {key.lower(): value for key, value in each.items()}
            name = next((folded[key] for key in _NAMES if isinstance(folded.get(key), str)), None)
            if name is not None:
                found.setdefault(name, folded["value"])
    return found
