"""By which of its mail a customer alarms."""

from typing import NamedTuple


class Alarm(NamedTuple):
    """The length (ms) of the shortest window by which a customer alarms, and the scopes whose mail does by that."""

    length_ms: int
    scopes: frozenset[str]
