"""What is sent, and the place at which a ledger counts it."""

from typing import NamedTuple

from schemas.counts import MEASURES

#: Slot of an event that belongs to no stream.
NO_SLOT = -1
#: Slots of one stream at one domain: each measure, once for events and once for their duplicates.
SLOTS = 2 * len(MEASURES)


class TimedMessage(NamedTuple):
    """One message to send at `time_ms` (epoch ms, UTC). `slot` is `NO_SLOT` for a blocklist event.

    `sent_ms` is when the mail of an outcome that comes later was sent, so far as a monitor can know: the event says it,
    or the delivery did and complaints of that provider's recipients are reported. 0 for all others.
    """

    time_ms: int
    key: bytes
    value: bytes
    topic: str
    slot: int
    sent_ms: int = 0


def first_slot(stream: int, domain: int, domains: int) -> int:
    """The first slot of a stream (its number in the fleet) at a domain (its number of `domains`)."""
    return (stream * domains + domain) * SLOTS


def place(measure: str) -> int:
    """What to add to the first slot for a measure. A duplicate's slot is 1 higher."""
    return 2 * MEASURES.index(measure)
