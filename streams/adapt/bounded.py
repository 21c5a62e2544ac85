"""Memories of a log that do not grow without end. Pure."""

from itertools import islice
from typing import TypeVar

V = TypeVar("V")


def keep(known: dict[str, V], key: str, value: V, most: int) -> None:
    """Remember under a new key. Where there are too many, the older half goes: one by one each would cost a walk past
    all that went before."""
    if len(known) >= most and key not in known:
        for old in list(islice(known, (most + 1) // 2)):
            del known[old]
    known[key] = value
