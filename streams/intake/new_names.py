"""How many new names a topic may bring in an hour: streams, sub-accounts, sending addresses, IP pools and domains. Who
sends mail chooses some of them, and each would be kept, judged and looked up at blocklists for as long as counts are.
Pure.

What an event says beyond the limit is not dropped: it counts for its customer, without the names that are too many (a
stream among those without a name). So whoever invents names cannot hide by them. Evidence keeps them all.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.event import DEFAULT_STREAM
from schemas.settings import Ingest
from schemas.times import HOUR_MS
from streams.intake.count import NAME_KINDS, all_known
from streams.intake.seen import Ids

log = logging.getLogger("repmon.ingest")

#: How many are kept in a set, which takes ten times as much memory as an array, before they are put into it.
MOST_IN_SET = 50_000
#: Behind all hashes.
LAST = np.array([np.iinfo(np.uint64).max], np.uint64)


def new_names_per_hour(settings: Ingest) -> dict[str, int]:
    """The limit of each kind."""
    return {
        "sub_accounts": settings.new_sub_accounts_per_hour,
        "streams": settings.new_streams_per_hour,
        "addresses": settings.new_addresses_per_hour,
        "pools": settings.new_pools_per_hour,
        "domains": settings.new_domains_per_hour,
    }


@dataclass
class KnownNames:
    """Names that this worker knows, whichever topic they came by (`known_as`): the hashes of those that were stored,
    sorted and with `LAST` behind them, and those that came since. In the time before `open_until_ms` (epoch ms) every
    name is admitted."""

    stored: Ids = field(default_factory=LAST.copy)
    since: set[str] = field(default_factory=set)
    open_until_ms: int = 0

    def __contains__(self, name: str) -> bool:
        return name in self.since or all_known(self.stored, (name,))

    def add(self, name: str) -> None:
        """Know one more."""
        self.since.add(name)
        if len(self.since) >= MOST_IN_SET:
            hashes = np.fromiter((xxh3_64_intdigest(each.encode()) for each in self.since), np.uint64)
            self.stored, self.since = np.union1d(self.stored, hashes), set()


@dataclass
class NameGate:
    """The gate of one topic: so many new names of each kind (`per_hour`) in each hour of the clock. `now_ms` (epoch ms)
    is when what is counted now came; `refused` is how many events count without a name that they have."""

    topic: str
    known: KnownNames
    per_hour: Mapping[str, int]
    now_ms: int = 0
    refused: int = 0
    _hour: int = 0
    _came: dict[str, int] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def admit(
        self, names: Sequence[str], stream: str, address: str, pool: str, domain: str, signer: str
    ) -> tuple[str, str, str, str, str]:
        """Stream, address, pool, From and DKIM domain as they count: empty, and the default stream, where a name is new
        and there is no room for it. `names` are what they are known as. Any thread may ask."""
        with self._lock:
            account, own, *others = names
            named = self._has_room(NAME_KINDS[0], account) and self._has_room(NAME_KINDS[1], own)
            kept = [self._has_room(*each) for each in zip(NAME_KINDS[2:], others, strict=True)]
            self.refused += not (named and all(kept))
            address, pool, domain, signer = (
                name if room else "" for name, room in zip((address, pool, domain, signer), kept, strict=True)
            )
            return stream if named else DEFAULT_STREAM, address, pool, domain, signer

    def take_refused(self) -> int:
        """The same, since this was asked last."""
        with self._lock:
            refused, self.refused = self.refused, 0
            return refused

    def _has_room(self, kind: str, name: str) -> bool:
        if not name or name in self.known:
            return True
        if self.now_ms >= self.known.open_until_ms:
            if (hour := self.now_ms // HOUR_MS) != self._hour:
                self._hour, self._came, self._told = hour, {}, set()
            if self._came.get(kind, 0) >= self.per_hour[kind]:
                self._tell(kind, name)
                return False
            self._came[kind] = self._came.get(kind, 0) + 1
        self.known.add(name)
        return True

    def _tell(self, kind: str, name: str) -> None:
        if kind in self._told:
            return
        self._told.add(kind)
        log.warning(
            "new %s: %s brought %s new ones this hour already (ingest.new_%s_per_hour); further ones, such as %r, are "
            "counted without their names",
            *(
                kind.replace("_", "-"),
                self.topic,
                f"{self.per_hour[kind]:,}",
                kind,
                " of ".join(name.split("\0")[:0:-1]),
            ),
        )
