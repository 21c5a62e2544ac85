"""Whether a stage can do its work: from what was last seen of its parts to what is wrong with each. Pure; the time is
passed in.

What is seen is seen elsewhere (`api.http.health`), at times of its own: somebody who asks whether a stage is well is
answered at once, also while the broker or the store lets everybody wait. So what counts is how long ago each answered.
"""

from dataclasses import dataclass
from math import isnan
from typing import Literal, get_args

from schemas.times import HOUR_MS, MINUTE_MS, SECOND_MS

Part = Literal["start", "broker", "topic", "store", "disk", "flush", "monitor", "scan"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """From when on something is a fault."""

    #: Without an answer for longer, in ms. It is asked every three seconds and may take five.
    silent_ms: int = 15 * SECOND_MS
    #: A topic that is not there for longer, in ms: the embedded broker makes its topics again now and then.
    missing_ms: int = 15 * SECOND_MS
    #: Nothing stored for longer although messages wait, in ms.
    unstored_ms: int = MINUTE_MS
    #: A batch of customers judged for longer, in ms. The largest take a few seconds.
    unjudged_ms: int = 2 * MINUTE_MS
    #: A scan that is overdue for longer, in ms.
    unscanned_ms: int = HOUR_MS
    #: Less room than this on the store's disk, in bytes.
    least_free_bytes: int = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """When broker or store last answered (epoch ms; when it was first asked where it never did), and what the last
    question brought where it failed."""

    answered_ms: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk with the least room of those the store writes to."""

    where: str
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushing:
    """How the intake stores. `unstored` are the messages in the broker whose counts are not stored (not a number: not
    known), `last_ms` is when it last stored (epoch ms; its start where it never did), `trouble` what keeps it from
    storing, `stopped` says of each topic that is read no more why, and `deleted` of each that is gone what
    was lost with it."""

    unstored: float
    last_ms: int
    trouble: str = ""
    stopped: tuple[str, ...] = ()
    deleted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """Since when the batch under way is judged (epoch ms; 0: none is), and what keeps it from being judged."""

    since_ms: int
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What was seen of a stage. None is what it has no use for, and `starting` whether it is not at work yet."""

    now_ms: int
    starting: bool = False
    broker: Contact | None = None
    #: Topics that the broker does not have, with since when that is known (epoch ms).
    missing: tuple[tuple[str, int], ...] = ()
    store: Contact | None = None
    disk: Disk | None = None
    flushing: Flushing | None = None
    judging: Judging | None = None
    #: When zones were due for their turn and none was asked since (epoch ms).
    scan_due_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFault:
    """A part that fails: what is seen of it, what to do, and the words of an error, which may name addresses."""

    part: Part
    what: str
    mend: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.part}: {self.what}" + (f" ({self.said})" if self.said else "")


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """Whether a stage is well, and what is wrong with it if not."""

    stage: str
    faults: tuple[PartFault, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    @property
    def failing(self) -> frozenset[Part]:
        """The parts that fail."""
        return frozenset(fault.part for fault in self.faults)

    def __str__(self) -> str:
        return "; ".join(map(str, self.faults)) or "well"


def verdict(stage: str, seen: Observations, limits: HealthLimits | None = None) -> HealthVerdict:
    """What is wrong with a stage. What only follows from a fault that is named is not named too."""
    limits = limits or HealthLimits()
    causes = [*_contacts(seen, limits), *_topics(seen, limits), *_disk(seen, limits)]
    if seen.starting:
        mend = "Wait. If it does not change, what is named next to this and the log say why."
        causes.insert(0, PartFault(part="start", what="not at work yet", mend=mend))
    reached = {"broker", "store", "disk"}.isdisjoint(fault.part for fault in causes)
    return HealthVerdict(stage, (*causes, *(_work(seen, limits) if reached else ())))


def _contacts(seen: Observations, limits: HealthLimits) -> list[PartFault]:
    found: list[PartFault] = []
    if seen.broker is not None and (silent := _silent(seen.broker, seen.now_ms, limits)):
        mend = "See that Kafka runs and can be reached from here (kafka.bootstrap). What comes meanwhile stays with it."
        found.append(PartFault(part="broker", what=silent, mend=mend, said=seen.broker.trouble))
    if seen.store is not None and (silent := _silent(seen.store, seen.now_ms, limits)):
        mend = "See that ClickHouse runs and can be reached from here (clickhouse.url). Nothing is lost: what is not "
        mend += "stored is taken from Kafka again, for as long as its topics keep it."
        found.append(PartFault(part="store", what=silent, mend=mend, said=seen.store.trouble))
    return found


def _silent(contact: Contact, now_ms: int, limits: HealthLimits) -> str:
    age_ms = now_ms - contact.answered_ms
    if age_ms > limits.silent_ms or (contact.trouble and age_ms == limits.silent_ms):
        return f"no answer for {age_ms // SECOND_MS} s" if age_ms >= SECOND_MS else "no answer"
    return ""


def _topics(seen: Observations, limits: HealthLimits) -> list[PartFault]:
    deleted = dict(seen.flushing.deleted) if seen.flushing else {}
    missing = [name for name, since_ms in seen.missing if seen.now_ms - since_ms > limits.missing_ms]
    missing = [name for name in missing if name not in deleted]
    mend = "`repmon topics create` makes them; what they held and was not stored is lost."
    found = [PartFault(part="topic", what=f"{name} is gone", mend=mend, said=why) for name, why in deleted.items()]
    if missing:
        found.append(PartFault(part="topic", what=f"there is no {', '.join(missing)}", mend=mend))
    for why in seen.flushing.stopped if seen.flushing else ():
        mend = (
            "`repmon dead-letters list --summary` says what cannot be read; mend its sender, then restart the intake."
        )
        found.append(PartFault(part="topic", what="one is read no more", mend=mend, said=why))
    return found


def _disk(seen: Observations, limits: HealthLimits) -> list[PartFault]:
    if seen.disk is None or seen.disk.free_bytes >= limits.least_free_bytes:
        return []
    what = f"{seen.disk.free_bytes // 1_000_000:,} MB free of {seen.disk.total_bytes // 1_000_000:,}"
    mend = "Make room where the store keeps its data, before it can store nothing."
    return [PartFault(part="disk", what=what, mend=mend, said=seen.disk.where)]


def _work(seen: Observations, limits: HealthLimits) -> list[PartFault]:
    found: list[PartFault] = []
    if (flushing := seen.flushing) is not None:
        age_ms = seen.now_ms - flushing.last_ms
        waiting = isnan(flushing.unstored) or flushing.unstored > 0
        mend = "See the log of the intake. Nothing is lost while the broker keeps its topics."
        if flushing.trouble:
            what = "what was taken cannot be stored"
            found.append(PartFault(part="flush", what=what, mend=mend, said=flushing.trouble))
        elif waiting and age_ms > limits.unstored_ms:
            number = "nobody knows how many" if isnan(flushing.unstored) else f"{flushing.unstored:,.0f}"
            what = f"nothing stored for {age_ms // SECOND_MS} s, while {number} messages wait"
            found.append(PartFault(part="flush", what=what, mend=mend))
    if (judging := seen.judging) is not None:
        age_ms = seen.now_ms - judging.since_ms
        if judging.since_ms and age_ms > limits.unjudged_ms:
            what = f"the batch under way is judged for {age_ms // SECOND_MS} s"
            mend = "See the log of the monitor. Everybody is judged again once it is restarted."
            found.append(PartFault(part="monitor", what=what, mend=mend, said=judging.trouble))
    if seen.scan_due_ms is not None and seen.now_ms - seen.scan_due_ms > limits.unscanned_ms:
        what = f"no list was asked in its turn, which was due {(seen.now_ms - seen.scan_due_ms) // MINUTE_MS} min ago"
        found.append(PartFault(part="scan", what=what, mend="See the log of the scan, and that its resolvers answer."))
    return found
