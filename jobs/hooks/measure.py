"""What was done about a customer by one action, as it is kept: what is to be done, then what became of it. Pure."""

from hashlib import blake2b
from typing import Literal

import msgspec

from schemas.hook import Effect
from schemas.levels import Level

#: `applying` and `lifting` are what is to be done, stored before it is; `applied` and `lifted` that it was.
MeasureState = Literal["waiting", "applying", "applied", "lifting", "lifted"]
#: Why it waits: for two people, for the breaker to be closed, for a verdict of now, for mail to be counted, or (a
#: mail) for what it tells of.
Waits = Literal["", "approval", "breaker", "verdict", "counts", "actions"]
Mode = Literal["act", "dry"]
#: Nothing is owed any more.
OVER: tuple[MeasureState, ...] = ("lifted",)


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One action on one part of a customer's mail. Times are epoch ms.

    `cycle` counts how often it was begun; `name` is the action under which it is kept. `ref` is by what the target
    knows it. `why` is the verdict in a line, `said` what the target said last. `failing_ms` is since when it fails,
    `next_ms` when it is tried again. `by` is who wanted it lifted, where that was a person.
    """

    customer: str
    scope: str
    name: str
    action: str
    effect: Effect
    state: MeasureState
    cycle: int
    level: Level
    rule: str
    alert_ids: tuple[str, ...]
    why: str
    changed_ms: int
    about: Effect = "notify"
    waits: Waits = ""
    said: str = ""
    ref: dict[str, str] = {}
    attempts: int = 0
    began_ms: int = 0
    applied_ms: int = 0
    lift_ms: int = 0
    failing_ms: int = 0
    next_ms: int = 0
    by: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """By what it is kept."""
        return self.customer, self.scope, self.name

    @property
    def owed(self) -> bool:
        """Whether anything is still to be done or undone."""
        return self.state not in OVER


class HookSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How a hook that acts is. Numbers count customers, times are epoch ms; `acting_ms` is until when one has the
    lease. `failing` names what failed for too long, and what was said."""

    acting_ms: int
    in_force: int
    approvals: int
    waiting: int
    failing: tuple[str, ...]
    breaker: str
    breaker_ms: int = 0


def measure_id(deployment: str, measure: Measure) -> str:
    """What a target knows this action on this customer by, in every cycle."""
    text = msgspec.json.encode((deployment, measure.customer, measure.scope, measure.name))
    return blake2b(text, digest_size=6).hexdigest()


def cycle_id(deployment: str, measure: Measure) -> str:
    """The same of this cycle: what approvals are given to."""
    return f"{measure_id(deployment, measure)}-{measure.cycle}"
