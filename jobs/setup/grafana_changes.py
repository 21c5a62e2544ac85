"""In what a dashboard differs from what it should be. Pure.

Grafana adds fields with their defaults, numbers dashboards and their versions, and brings older ones to its own schema
version when it reads them. None of that is a difference: only what is said here and is not so there counts, and lists
that are longer or shorter.
"""

from collections.abc import Iterator
from typing import Any

#: What is Grafana's to say.
THEIRS = frozenset({"id", "uid", "version"})
LONGEST = 100


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Each place that differs, with what is there and what should be."""
    return list(_differences(wanted, found, ""))


def _differences(wanted: object, found: object, place: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name, value in wanted.items():
            inside = f"{place}.{name}" if place else name
            if not place and (name in THEIRS or (name == "schemaVersion" and found.get(name, 0) >= value)):
                continue
            if not (value in (None, [], {}, "") and name not in found):
                yield from _differences(value, found.get(name), inside)
    elif isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            yield f"{place}: {len(found)} in Grafana, {len(wanted)} here"
        for number, (one, other) in enumerate(zip(wanted, found, strict=False)):
            title = one.get("title") or one.get("name") if isinstance(one, dict) else ""
            yield from _differences(one, other, f"{place}[{title or number}]")
    elif wanted != found:
        yield f"{place}: {_short(found)} in Grafana, {_short(wanted)} here"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
