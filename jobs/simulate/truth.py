"""The ground truth: exactly what was sent and what a monitor must make of it, to write and to read back."""

import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from jobs.simulate.profiles import SimulationError
from schemas.listing import ListingType, Weight

TrueVerdict = Literal["flag", "clean", "either"]

#: A customer must be flagged from here on: rates (ratios) with the volumes that make them certain.
FLAG_FAILURE, FLAG_FINISHED = 0.08, 500
FLAG_COMPLAINT, FLAG_FBL_DELIVERED = 0.006, 1500
#: A well-behaved customer must stay unflagged while the lower bounds of its rates lie below these, which are
#: well under what the default policy calls excessive. Rates of fewer than `CLEAN_LEAST` accuse nobody at all.
CLEAN_FAILURE, CLEAN_COMPLAINT, CLEAN_BLOCK = 0.03, 0.002, 0.12
CLEAN_LEAST = 100
#: With this much mail a customer has certainly used each of its addresses.
SOLE_USER_FINISHED = 100
WELL_BEHAVED = frozenset({"good", "sloppy"})
#: Two-sided 95 %.
Z = 1.959964


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers of recipients, by the names and rules of `schemas.counts`: a late bounce is in `late_*` and in
    `hard`, `soft` or `block`. `fbl_*` are the parts at domains with a feedback loop.
    """

    delivered: int = 0
    hard: int = 0
    soft: int = 0
    block: int = 0
    expired: int = 0
    late_hard: int = 0
    late_soft: int = 0
    late_block: int = 0
    complained: int = 0
    unsubscribed: int = 0
    deferred: int = 0
    suppressed: int = 0
    rejected: int = 0
    reported: int = 0
    fbl_delivered: int = 0
    fbl_complained: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def finished(self) -> int:
        """Recipients whose fate is known, each once."""
        late = self.late_hard + self.late_soft + self.late_block
        return self.delivered + self.hard + self.soft + self.block - late + self.expired

    @property
    def failure_rate(self) -> float:
        """Hard failures of finished recipients, a ratio."""
        return self.hard / self.finished if self.finished else 0.0

    @property
    def complaint_rate(self) -> float:
        """Complaints of deliveries at domains with a feedback loop, a ratio."""
        return self.fbl_complained / self.fbl_delivered if self.fbl_delivered else 0.0


class DomainTruth(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries and complaints at one recipient domain with a feedback loop, duplicates left out."""

    fbl_delivered: int = 0
    fbl_complained: int = 0


class StreamTruth(msgspec.Struct, frozen=True, kw_only=True):
    """One stream. `counts` has each event once, `duplicates` only the repeats: `counts + duplicates` is what
    a counter sees that does not look at event ids.
    """

    stream: str
    stream_class: str
    counts: Counts
    duplicates: Counts
    domains: dict[str, DomainTruth]


class ListingTruth(msgspec.Struct, frozen=True, kw_only=True):
    """A blocklist event that was sent, and the customers that send from the address."""

    type: ListingType
    time: int
    resource: str
    zone: str
    weight: Weight
    users: tuple[str, ...]


class CustomerTruth(msgspec.Struct, frozen=True, kw_only=True):
    """One customer: `flag` must be judged excessive or critical, `clean` never, `either` may be. `why` says
    what decided it.
    """

    name: str
    profile: str
    verdict: TrueVerdict
    why: str
    counts: Counts
    duplicates: Counts
    streams: tuple[StreamTruth, ...]


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """All that was sent. `events` is the number of mail events, `duplicates` of those among them that repeat
    another; `listings` are the first and last event of each listing. `first_ms` and `last_ms` are epoch ms,
    UTC, of mail events; 0 before the first.
    """

    seed: int
    first_ms: int
    last_ms: int
    events: int
    duplicates: int
    listing_events: int
    fbl_domains: tuple[str, ...]
    customers: tuple[CustomerTruth, ...]
    listings: tuple[ListingTruth, ...]

    @property
    def by_name(self) -> dict[str, CustomerTruth]:
        """The customers by their names."""
        return {each.name: each for each in self.customers}

    def write(self, path: Path) -> None:
        """Write as JSON; a reader sees the old file or the new one, never half of it.

        Raises:
            SimulationError: the file cannot be written.
        """
        part = path.with_name(f"{path.name}.part")
        try:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
            os.replace(part, path)  # noqa: PTH105 - Path.replace says nothing else
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise SimulationError(f"{path}: cannot be written: {error.strerror}") from error


def read_truth(path: Path) -> Truth:
    """What `Truth.write` wrote.

    Raises:
        SimulationError: the file cannot be read or is not such a file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise SimulationError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise SimulationError(f"{path}: not a truth file: {error}") from error


def verdict(profile: str, counts: Counts, sole_critical_listings: int) -> tuple[TrueVerdict, str]:
    """What a monitor must say of a customer, and why. `sole_critical_listings` are listings on critical
    lists of addresses that only this customer uses.
    """
    if sole_critical_listings:
        return "flag", f"{sole_critical_listings} critical listings of addresses only it uses"
    if counts.finished >= FLAG_FINISHED and counts.failure_rate >= FLAG_FAILURE:
        return "flag", f"{counts.failure_rate:.2%} of {counts.finished:,} finished failed hard"
    if counts.fbl_delivered >= FLAG_FBL_DELIVERED and counts.complaint_rate >= FLAG_COMPLAINT:
        return (
            "flag",
            f"{counts.complaint_rate:.2%} of {counts.fbl_delivered:,} deliveries brought complaints",
        )
    if profile not in WELL_BEHAVED:
        return "either", f"{profile}, but too little of it was sent to be certain"
    measured = (
        ("failures", counts.hard, counts.finished, CLEAN_FAILURE),
        ("complaints", counts.fbl_complained, counts.fbl_delivered, CLEAN_COMPLAINT),
        ("blocks", counts.block, counts.finished, CLEAN_BLOCK),
    )
    for name, hits, total, limit in measured:
        if total >= CLEAN_LEAST and lower_bound(hits, total) >= limit:
            return "either", f"{profile}, but chance brought many {name}"
    return "clean", profile


def lower_bound(hits: int, total: int) -> float:
    """Lower end of the 95 % score interval of a ratio (Wilson, 1927); 0 without observations."""
    if total <= 0 or hits <= 0:
        return 0.0
    ratio = min(1.0, hits / total)
    centre = ratio + Z * Z / (2 * total)
    spread = Z * math.sqrt((ratio * (1 - ratio) + Z * Z / (4 * total)) / total)
    return (centre - spread) / (1 + Z * Z / total)
