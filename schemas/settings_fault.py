"""What is wrong with a setting, in words that name it: which table of several, and what could stand there. Pure."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import msgspec
from msgspec import inspect as types

#: `hook`, `ladder`, `[...]`, `level` of `hook.ladder[...].level`.
STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
#: The key of a table, which msgspec does not name.
ANY = "[...]"
NOT_ONE_OF = ("Invalid enum value", "Invalid value")


def named(path: str, raw: dict[str, Any], said: str, convert: Callable[[dict[str, Any]], object]) -> str:
    """The path with the names of tables in place of `[...]`: the first that is wrong in this way by itself."""
    steps = STEP.findall(path)
    while ANY in steps:
        place = steps.index(ANY)
        if not isinstance(table := _at(raw, steps[:place]), dict):
            break
        for key in table:
            alone = deepcopy(raw)
            found = _at(alone, steps[:place])
            for other in [each for each in found if each != key]:
                del found[other]
            try:
                convert(alone)
            except msgspec.ValidationError as error:
                if str(error) == said:
                    raw, steps[place] = alone, key
                    break
        else:
            break
    return "".join(each if each.startswith("[") or not number else f".{each}" for number, each in enumerate(steps))


def choices(said: str, path: str, kind: type) -> str:
    """What could stand at a path within a type, in words; empty where it is no choice of a few."""
    if not said.startswith(NOT_ONE_OF):
        return ""
    found: list[types.Type] = [types.type_info(kind)]
    steps = STEP.findall(path)
    for number, step in enumerate(steps):
        before, found = found, [inner for each in found for inner in _inner(each, step)]
        if not found and number == len(steps) - 1:  # the field by which kinds of tables are told apart has no type
            tags = [each.tag for each in before if isinstance(each, types.StructType) and each.tag_field == step]
            return f"; there are {', '.join(map(str, tags))}" if tags else ""
    known = [str(value) for each in found if isinstance(each, types.LiteralType) for value in each.values]
    return f"; there are {', '.join(map(repr, known) if '' in known else known)}" if known else ""


def _inner(kind: types.Type, step: str) -> Iterator[types.Type]:
    if isinstance(kind, types.StructType):
        found = [each.type for each in kind.fields if each.encode_name == step]
    elif isinstance(kind, types.DictType):
        found = [kind.value_type]
    elif isinstance(kind, types.VarTupleType | types.ListType):
        found = [kind.item_type]
    else:
        found = []
    for each in found:
        yield from _plain(each)


def _plain(kind: types.Type) -> Iterator[types.Type]:
    """What a type means without its notes, each of a union by itself."""
    if isinstance(kind, types.Metadata):
        yield from _plain(kind.type)
    elif isinstance(kind, types.UnionType):
        for each in kind.types:
            yield from _plain(each)
    else:
        yield kind


def _at(raw: Any, steps: list[str]) -> Any:
    for step in steps:
        try:
            raw = raw[int(step[1:-1])] if step.startswith("[") else raw[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return raw
