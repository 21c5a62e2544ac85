"""The fields of a JSON Schema, flat, so that two generations of it can be compared.

`python -m tests.support.schema_fields` writes those of today as the released generation: at a release, never to make a
test pass.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.root import ROOT

CURRENT = ROOT / "schemas" / "json"
RELEASED = ROOT / "tests" / "unit" / "schemas" / "released.json"
#: Topics that others write: what they send today must be taken tomorrow. Of the rest what they read must stay.
WRITTEN_BY_OTHERS = ("mail.events", "mail.blocklistings")


class Field(NamedTuple):
    """What a consumer relies on: the types that a value has, the values where they are named, and that it is there."""

    types: tuple[str, ...]
    values: tuple[str, ...]
    required: bool


def fields(schema: dict[str, Any]) -> dict[str, Field]:
    """Every field by its path; `[]` stands for each item of an array, `*` for each value of a map."""
    return dict(_fields(schema, schema, "", required=True, seen=()))


def _fields(whole: dict[str, Any], part: Any, path: str, *, required: bool, seen: tuple[str, ...]) -> Iterator[Any]:
    if not isinstance(part, dict):
        return
    if (name := part.get("$ref")) is not None:
        if name in seen:
            return
        found = whole
        for step in name.removeprefix("#/").split("/"):
            found = found[step]
        part, seen = {**found, **{key: value for key, value in part.items() if key != "$ref"}}, (*seen, name)
    options = [each for key in ("anyOf", "oneOf") for each in part.get(key, ())]
    inner = dict(_merged(_fields(whole, each, path, required=required, seen=seen) for each in options))
    own = inner.pop(path, Field((), (), required))
    named = part.get("type", ())
    types = {*own.types, *((named,) if isinstance(named, str) else named)}
    values = {
        *own.values,
        *map(json.dumps, part.get("enum", ())),
        *((json.dumps(part["const"]),) if "const" in part else ()),
    }
    yield path, Field(tuple(sorted(types)), tuple(sorted(values)), required)
    yield from inner.items()
    musts = part.get("required", ())
    for key, each in part.get("properties", {}).items():
        yield from _fields(whole, each, f"{path}.{key}", required=key in musts, seen=seen)
    yield from _fields(whole, part.get("items"), f"{path}[]", required=False, seen=seen)
    yield from _fields(whole, part.get("additionalProperties"), f"{path}.*", required=False, seen=seen)


def _merged(parts: Iterator[Iterator[Any]]) -> Iterator[tuple[str, Field]]:
    """Of alternatives, what any of them allows; required is what all of them require."""
    alternatives = [dict(each) for each in parts]
    for path in dict.fromkeys(path for each in alternatives for path in each):
        have = [each[path] for each in alternatives if path in each]
        yield (
            path,
            Field(
                tuple(sorted({name for each in have for name in each.types})),
                tuple(sorted({value for each in have for value in each.values})),
                len(have) == len(alternatives) and all(each.required for each in have),
            ),
        )


def breaks(before: dict[str, Field], now: dict[str, Field], *, written_by_others: bool) -> list[str]:
    """What of a topic's fields no longer is as those outside rely on it."""
    found = [f"{path} is gone" for path in before.keys() - now.keys()]
    for path in before.keys() & now.keys():
        was, is_ = before[path], now[path]
        if written_by_others:
            lost = {*was.types} - {*is_.types} or (is_.values and {*was.values} - {*is_.values})
            found += [f"{path} no longer takes {', '.join(sorted(lost))}"] if lost else []
            found += [f"{path} takes only some values now"] if is_.values and not was.values else []
            found += [f"{path} must be given now"] if is_.required and not was.required else []
        else:
            new = {*is_.types} - {*was.types}
            found += [f"{path} may be {', '.join(sorted(new))} now"] if new else []
            found += [f"{path} may be missing now"] if was.required and not is_.required else []
    if written_by_others:
        found += [f"{path} is new and must be given" for path in now.keys() - before.keys() if now[path].required]
    return sorted(found)


def current() -> dict[str, dict[str, Field]]:
    """The fields of every topic's schema as it is generated today."""
    return {
        file.name.removesuffix(".schema.json"): fields(json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(CURRENT.glob("*.schema.json"))
        if file.name.startswith(("mail.", "reputation."))
    }


def released() -> dict[str, dict[str, Field]]:
    """Those of the last release."""
    text = json.loads(RELEASED.read_text(encoding="utf-8"))
    return {
        topic: {path: Field(tuple(types), tuple(values), required) for path, (types, values, required) in found.items()}
        for topic, found in text["topics"].items()
    }


def main() -> None:
    """Write today's as released."""
    from schemas.version import VERSION

    lines = [
        f"{json.dumps(topic)}: {{\n"
        + ",\n".join(f"{json.dumps(path)}: {json.dumps(field)}" for path, field in found.items())
        + "\n}"
        for topic, found in current().items()
    ]
    Path(RELEASED).write_text(
        f'{{"version": "{VERSION}", "topics": {{\n' + ",\n".join(lines) + "\n}}\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
