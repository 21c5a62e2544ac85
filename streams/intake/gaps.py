"""Messages that are gone from the broker before they were read: reported, never hidden."""

from dataclasses import dataclass

from streams.io.broker import BrokerError


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets `first` to `last` of a source that nobody can read any more."""

    source: str
    first: int
    last: int

    @property
    def lost(self) -> int:
        """How many messages these are at most; a compacted topic had fewer."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        where = f"offsets {self.first} to {self.last}"
        return f"{self.lost:,} messages, {where}, were deleted by the broker before they were read"


def gap(source: str, wanted: int, low: int, high: int) -> Gap:
    """What is lost where a source should be read from `wanted` on and its log reaches from `low` to before `high`.

    Raises:
        BrokerError: the log ends before what was counted.
    """
    if low <= wanted:
        raise BrokerError(
            f"{source}: counted up to offset {wanted - 1}, but the topic ends at {high}: its log was cut off, as "
            "after an unclean leader election. Recreate the topic (it then is a new source) to continue"
        )
    return Gap(source, wanted, low - 1)
