"""What the parts of a hook share, and what it records through."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.hooks.lines import Note, Say, What, said_of
from jobs.hooks.measure import Measure, Mode
from jobs.hooks.outbox import Lease, MeasureOutbox
from jobs.hooks.targets.base import HookTarget
from schemas.deployment import Deployment
from schemas.hook import Hook
from streams.io.store import Store

#: Who it is that acts, in records.
HOOK = "suspend-hook"
ACTION_APPLIED, ACTION_LIFTED, ACTION_FAILED = "hook action applied", "hook action lifted", "hook action failed"
ACTION_WAITS, ACTION_RENEWED, ALERT_REFUSED = "hook action waits", "hook action renewed", "hook alert refused"
ACTION_WITHDRAWN, ACTION_CLEARED = "hook action withdrawn", "hook action cleared"
TOPIC_REMADE = "hook topic made again"


class Records(Protocol):
    """What is recorded of what the hook does."""

    def note(self, notes: Sequence[Note]) -> None:
        """Add rows to the table `audit`."""

    def suspended(self, customer: str, why: str, now_ms: int) -> None:
        """Record that a customer is suspended, unless it is recorded so."""

    def unsuspended(self, customer: str, why: str, now_ms: int) -> None:
        """Record that it is no more, if the hook had suspended it."""

    def breaker_opened(self, why: str, now_ms: int) -> None:
        """Call somebody."""


@dataclass(frozen=True)
class HookContext:
    """A hook of one mode. `clock` gives epoch ms."""

    store: Store
    hook: Hook
    lease: Lease
    outbox: MeasureOutbox
    targets: Mapping[str, HookTarget]
    records: Records
    say: Say
    deployment: Deployment
    clock: Callable[[], int]

    @property
    def mode(self) -> Mode:
        """Whether it acts."""
        return self.lease.mode

    @property
    def acts(self) -> bool:
        """The same."""
        return self.lease.mode == "act"

    def put(self, measure: Measure) -> Measure:
        """Store a measure as it is now.

        Raises:
            StoreError: the store failed.
        """
        self.outbox.put(measure)
        return measure

    def tell(self, what: What, measure: Measure, text: str, answer: str = "") -> None:
        """Say something about a measure."""
        self.say(said_of(self.mode, what, measure, self.clock(), text, answer))

    def note(self, measure: Measure, action: str, subject: str, time_ms: int, why: str = "") -> None:
        """Record something about a measure, if this is no dry run. The same may be recorded again: it is one row.

        Raises:
            StoreError: the store failed.
        """
        if self.acts:
            detail = {"action": measure.action, "scope": measure.scope, "level": measure.level}
            self.records.note([Note(time_ms, action, measure.customer, subject, why or measure.why, detail)])
