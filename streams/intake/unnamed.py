"""Reports whose customer is found by the id of the message that they are about, and who sent which message. Pure.

The search itself is in streams/intake/message_senders.py.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from schemas.event import MailEvent

#: Keeps these hashes apart from those of customer and message.
_SEED = 3


@dataclass(slots=True)
class MessageSenders:
    """Messages delivered since the last flush: a hash of each id, who sent it, and when (epoch ms)."""

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    customers: list[str] = field(default_factory=list)
    times: "array[int]" = field(default_factory=lambda: array("q"))

    def note(self, events: Sequence[MailEvent], times: Sequence[int], reporting: frozenset[str]) -> None:
        """Add those of the events that a complaint may be about, each with its time in epoch ms."""
        for event, time in zip(events, times, strict=True):
            if event.type == "delivered" and event.message_id and event.provider in reporting:
                self.hashes.append(id_hash(event.message_id))
                self.customers.append(event.customer)
                self.times.append(time)


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Events of a message whose customer is still to be found, and the message."""

    offset: int
    payload: bytes
    came_ms: int
    events: Sequence[MailEvent]


def id_hash(message_id: str) -> int:
    """A hash of a message id, with or without its angle brackets."""
    return xxh3_64_intdigest(message_id.strip(" <>").encode(), _SEED)
