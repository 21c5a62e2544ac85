"""How many new customers a topic may bring in an hour: who can write to it, or forge a webhook, could invent as many
as there are names, and each would be kept, judged and shown for as long as counts are. Pure.

What comes of those beyond the limit becomes dead letters: nothing is lost, operators hear of it, and it can be sent
again. A store that knows no customer yet is in its first hour, in which all that come are taken.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from schemas.event import MailEvent
from schemas.times import HOUR_MS
from streams.adapt.base import AdaptError

log = logging.getLogger("repmon.ingest")


class NotAdmittedError(AdaptError):
    """An event of a customer who is one new one too many."""


@dataclass
class KnownCustomers:
    """Whom this worker knows, whichever topic they came by. In the time before `open_until_ms` (epoch ms) everybody is
    admitted."""

    names: set[str]
    open_until_ms: int = 0


@dataclass
class Admission:
    """The gate of one topic: `per_hour` new customers in each hour of the clock."""

    topic: str
    known: KnownCustomers
    per_hour: int
    _hour: int = 0
    _came: int = 0
    _told_hour: int = -1
    _lock: Lock = field(default_factory=Lock)

    def admit(self, customers: set[str], now_ms: int) -> bool:
        """Whether all of these are known, or there is room for those who are new; then they are known."""
        if customers <= self.known.names:
            return True
        with self._lock:
            new = customers - self.known.names
            if now_ms >= self.known.open_until_ms:
                if self._room(now_ms) < len(new):
                    return False
                self._came += len(new)
            self.known.names |= new
            return True

    def check(self, events: Sequence[MailEvent], now_ms: int) -> None:
        """See that the customers of a message's events are known, or that there is room for them.

        Raises:
            NotAdmittedError: there is none.
        """
        customers = {each.customer for each in events}
        if self.admit(customers, now_ms):
            return
        said = f"{self.topic} brought {self.per_hour:,} new ones this hour already (ingest.new_customers_per_hour)"
        if self._told_hour != self._hour:
            self._told_hour = self._hour
            log.warning("new customers: %s; what comes of further ones becomes dead letters", said)
        name = min(customers - self.known.names)
        raise NotAdmittedError(f"customer {name!r} is new, and {said}")

    def _room(self, now_ms: int) -> int:
        if (hour := now_ms // HOUR_MS) != self._hour:
            self._hour, self._came = hour, 0
        return self.per_hour - self._came
