"""Fields that are metrics: a stage's numbers are a dataclass, and each field says what it is and what it means."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric and its value now."""

    name: str
    kind: Kind
    help: str
    value: float


def counter(help_text: str) -> Any:
    """A field that only grows."""
    return field(default=0, metadata={"kind": "counter", "help": help_text})


def gauge(help_text: str) -> Any:
    """A field that says how it is now."""
    return field(default=0, metadata={"kind": "gauge", "help": help_text})


def readings(stage: Any) -> Iterator[Reading]:
    """The metrics among the fields of a stage's dataclass, by their names."""
    for each in fields(stage):
        if each.metadata:
            value = float(getattr(stage, each.name))
            yield Reading(each.name, each.metadata["kind"], each.metadata["help"], value)
