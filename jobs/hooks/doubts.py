"""Alerts that the store does not know yet: what is sent is stored before, but the replica that is asked may be behind
the one that took it. So none is refused as unknown before it had its time, and until then how far was read is not
stored."""

from collections.abc import Iterable

from schemas.alert import AlertEvent
from streams.alerts.known import REPLICATED_MS

#: So many are kept, of so many bytes together; those of a flood beyond that have no more time.
MOST, MOST_BYTES = 1_000, 16_000_000


class DoubtfulAlerts:
    """By what they are told apart by, in the order in which they came. Times are epoch ms."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[AlertEvent, int, int]] = {}
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._kept

    def events(self) -> dict[bytes, AlertEvent]:
        """All of them."""
        return {digest: event for digest, (event, _, _) in self._kept.items()}

    def keeps(self, digest: bytes, event: AlertEvent, size: int, now_ms: int) -> bool:
        """Whether an alert that is not known now is given more time; it is kept then."""
        if digest in self._kept:
            return 0 <= now_ms - self._kept[digest][1] < REPLICATED_MS
        if len(self._kept) >= MOST or self._bytes + size > MOST_BYTES:
            return False
        self._kept[digest] = event, now_ms, size
        self._bytes += size
        return True

    def settle(self, digests: Iterable[bytes]) -> None:
        """These are known, or refused."""
        for each in digests:
            if found := self._kept.pop(each, None):
                self._bytes -= found[2]
