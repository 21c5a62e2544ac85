"""The life of an alert: verdicts and operators' decisions in, transitions out. Pure; drawn in docs/alerts.md.

It opens and escalates at once. It de-escalates or resolves only after the rate has stayed below its level for
the hold time. What opens again soon after its resolution is the same episode, else a new one; transitions are numbered
within the episode. An acknowledgement lasts until the alert rises. An override takes the level down at once, and its
end brings back what the verdict then says.
"""

from hashlib import blake2b

import msgspec

from schemas.alert import Acknowledgement, Cause, Held, OperatorOverride, TransitionKind
from schemas.levels import Level
from schemas.times import DAY_MS
from streams.judge.verdict import RANK, Verdict

#: An alert that opened again so many times within the period holds so many times as long.
FLAPS, FLAP_PERIOD_MS, FLAP_HOLD = 3, DAY_MS, 4
#: Kinds whose ids need more than the level: another kind might have the same number and level.
NAMED_IN_ID: frozenset[TransitionKind] = frozenset(
    {"reopened", "acknowledged", "overridden", "override-ended", "held", "confirmed"}
)
#: Kinds that say something of the alert and leave its level and hold time alone.
SAID_OF_IT: frozenset[TransitionKind] = frozenset({"acknowledged", "held", "confirmed"})
#: What confirms a held alert: witnesses, or an operator.
_CONFIRMED_BY: tuple[Cause, Cause] = ("witnesses", "operator")
#: From this level on somebody may act on an alert.
ACTED_ON = RANK["excessive"]


#: Customer, scope and rule.
SubjectRule = tuple[str, str, str]


class Basis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what a subject was judged under one rule at `time_ms` (epoch ms, UTC).

    `overrides` names the overrides in force, `counts` are numerator and denominator of each window, `left_out`
    names what was left out of them as mail of incidents, `fresh_ms` is when its customer was last given a fresh start.
    """

    time_ms: int
    policy_version: str
    overrides: str = ""
    left_out: str = ""
    fresh_ms: int = 0
    counts: dict[str, tuple[int, int]] = {}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """An operator released what was held, at `time_ms` (epoch ms, UTC): the rule judges mail sent since. What is no
    rate of mail must exceed `number`, what it was then."""

    time_ms: int
    number: int = 0


class AlertState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the alert of one (customer, scope, rule) stands; stored as JSON. Times are epoch ms, UTC.

    `level` is `good` once resolved, and while an override takes it down to that (`suppressed_by_override`: the episode
    then goes on). `episode` and `transition`, the last one of the episode, count from 1; an episode 0 never opened.
    `below_since_ms` is since when the level does not hold any more, `below_level` the highest level that did hold since
    then, `below_cause` why it stopped holding.

    `closed_for_good` says that what opens next is another episode, however soon. `raised_ms` is when the level last
    rose after the opening, `reopened_ms` are the last times it opened again. `acknowledged_ms` is the time of the last
    acknowledgement that was applied, also where it does not hold any more. `override` is the operator's that is in
    force. `basis` is by what it was judged when that was last recorded.

    `excessive_ms` is when the level last rose to `excessive` or worse from below. `held` says that nobody is to act on
    it; `confirmed` names the hold that an operator or witnesses ended so, `released` is the last release.

    Three fields have another name where they are stored, since states of earlier versions must be read.
    """

    customer: str
    scope: str
    rule: str
    level: Level
    episode: int
    transition: int
    opened_ms: int
    changed_ms: int
    below_since_ms: int | None = None
    below_level: Level = "good"
    below_cause: Cause = "events"
    suppressed_by_override: bool = msgspec.field(default=False, name="lifted")
    closed_for_good: bool = msgspec.field(default=False, name="over")
    raised_ms: int = 0
    reopened_ms: tuple[int, ...] = ()
    acknowledged: Acknowledgement | None = None
    acknowledged_ms: int = msgspec.field(default=0, name="noted_ms")
    override: OperatorOverride | None = None
    basis: Basis | None = None
    excessive_ms: int = 0
    held: Held | None = None
    confirmed: str = ""
    released: Release | None = None

    @property
    def alert_id(self) -> str:
        """The id of the episode."""
        return alert_id(self.customer, self.scope, self.rule, self.episode)

    @property
    def key(self) -> SubjectRule:
        """Customer, scope and rule."""
        return self.customer, self.scope, self.rule

    @property
    def is_open(self) -> bool:
        """Whether the episode continues."""
        return self.level != "good" or self.suppressed_by_override

    @property
    def watched(self) -> bool:
        """Whether it must be judged although no rate is near a threshold: it is open, or was last judged with an
        override, whose end must be seen."""
        return self.is_open or self.override is not None or (self.basis is not None and self.basis.overrides != "")

    def flaps(self, now_ms: int) -> bool:
        """Whether it opened again so often of late that it holds longer."""
        return sum(now_ms - each < FLAP_PERIOD_MS for each in self.reopened_ms) >= FLAPS


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an alert, at `time_ms` (epoch ms, UTC), with what was decided of it as it stands after that."""

    customer: str
    scope: str
    rule: str
    kind: TransitionKind
    level: Level
    previous_level: Level
    episode: int
    transition: int
    time_ms: int
    opened_ms: int
    cause: Cause = "events"
    acknowledged: Acknowledgement | None = None
    override: OperatorOverride | None = None
    held: Held | None = None
    decided: Acknowledgement | None = None
    released: Release | None = None
    #: It was held because of an incident that an operator dismissed.
    of_dismissed: bool = False

    @property
    def alert_id(self) -> str:
        """The id of the episode."""
        return alert_id(self.customer, self.scope, self.rule, self.episode)

    @property
    def id(self) -> str:
        """The id of this transition; the same change always has the same id."""
        return transition_id(self.customer, self.scope, self.rule, self.episode, self.transition, self.level, self.kind)


def step(
    state: AlertState | None,
    verdict: Verdict,
    now_ms: int,
    hold_ms: int,
    customer: str,
    scope: str,
    *,
    cool_down_ms: int = 0,
    cause: Cause = "events",
    same_episode: bool = False,
) -> tuple[AlertState | None, Transition | None]:
    """The state after a verdict, and the transition if there is one. `state` is None before any alert.

    With `same_episode` what opens is the last episode, however long ago that was resolved. `cause` is what made the
    verdict differ from before. The same inputs give the same outputs; a second step with the same verdict and time
    changes nothing more.
    """
    if state is None or state.level == "good":
        if verdict.level == "good":
            return state, None
        if state is not None and (state.suppressed_by_override or _goes_on(state, now_ms, cool_down_ms, same_episode)):
            return _reopened(state, verdict.level, now_ms, cause)
        opened = AlertState(
            customer=customer,
            scope=scope,
            rule=verdict.rule,
            level=verdict.level,
            episode=1 if state is None else state.episode + 1,
            transition=1,
            opened_ms=now_ms,
            changed_ms=now_ms,
            override=None if state is None else state.override,
            excessive_ms=now_ms if RANK[verdict.level] >= ACTED_ON else 0,
            confirmed="" if state is None else state.confirmed,
            released=None if state is None else state.released,
        )
        return opened, _transition(opened, "opened", "good", cause)
    if RANK[verdict.level] > RANK[state.level]:
        return _changed(state, verdict.level, now_ms, cause)
    if RANK[verdict.holding_level] >= RANK[state.level]:
        return msgspec.structs.replace(state, below_since_ms=None, below_level="good", below_cause="events"), None
    held_ms = hold_ms * FLAP_HOLD if state.flaps(now_ms) else hold_ms
    return _below(state, verdict.holding_level, now_ms, held_ms, cause)


def begun_anew(state: AlertState) -> AlertState:
    """A state once its customer has a fresh start: what lies below its level is left without hold time, and what is
    resolved, or was, does not open again; what opens next is another episode."""
    after = msgspec.structs.replace(state, below_since_ms=None, below_level="good", below_cause="events")
    return after if state.is_open else msgspec.structs.replace(after, closed_for_good=True, reopened_ms=())


def ended(state: AlertState, now_ms: int) -> tuple[AlertState, Transition]:
    """An open alert resolved at `now_ms`, whatever the rate: its rule is gone. What opens after that is a new one."""
    after, transition = _changed(state, "good", now_ms, "policy")
    return msgspec.structs.replace(after, closed_for_good=True), transition


def acknowledged(
    state: AlertState, acknowledgement: Acknowledgement, now_ms: int
) -> tuple[AlertState, Transition | None]:
    """The state after somebody acknowledged the alert.

    Nothing changes where it is not open, where that was applied before, or where the alert rose after it was said: it
    was then said of something milder.
    """
    if not state.is_open or acknowledgement.time_ms <= max(state.acknowledged_ms, state.opened_ms, state.raised_ms):
        return state, None
    return _next_transition(
        state,
        "acknowledged",
        state.level,
        now_ms,
        "operator",
        acknowledged=acknowledgement,
        acknowledged_ms=acknowledgement.time_ms,
    )


def overridden(
    state: AlertState, override: OperatorOverride | None, verdict: Verdict, now_ms: int
) -> tuple[AlertState, Transition | None]:
    """The state once another override is in force, or none any more; `verdict` is by what is now in force.

    A new one takes the level down at once to what holds under it. When it ends, the level is at once what the verdict
    says; an episode that it held at good is then resolved, unless the verdict says otherwise.
    """
    if override == state.override:
        return state, None
    if not state.is_open:
        return msgspec.structs.replace(state, override=override), None
    if override is not None:
        level = min(state.level, verdict.holding_level, key=RANK.__getitem__)
        return _next_transition(
            state, "overridden", level, now_ms, "override", override=override, suppressed_by_override=level == "good"
        )
    level = max(state.level, verdict.level, key=RANK.__getitem__)
    kind: TransitionKind = "resolved" if level == "good" else "override-ended"
    return _next_transition(state, kind, level, now_ms, "override", override=None, suppressed_by_override=False)


def held_back(state: AlertState, held: Held, now_ms: int) -> tuple[AlertState, Transition]:
    """The state of an alert that was sent and is held from now on."""
    cause: Cause = "brake" if held.reason == "brake" else "incident"
    return _next_transition(state, "held", state.level, now_ms, cause, held=held)


def confirmed(
    state: AlertState, by: Acknowledgement | None, now_ms: int, *, of_dismissed: bool = False
) -> tuple[AlertState, Transition]:
    """The state of a held alert once an operator confirmed it, or dismissed the incident because of which it was held,
    or (by nobody) once witnesses tell: it is sent again, not held."""
    name, cause = state.held.id if state.held else "", _CONFIRMED_BY[by is not None]
    after, said = _next_transition(state, "confirmed", state.level, now_ms, cause, held=None, confirmed=name)
    return after, msgspec.structs.replace(said, decided=by, of_dismissed=of_dismissed)


def released(state: AlertState, by: Acknowledgement, number: int, now_ms: int) -> tuple[AlertState, Transition]:
    """The state of a held alert once an operator released it: resolved, whatever the rate. `number` is what is counted
    now of what is no rate."""
    release = Release(time_ms=by.time_ms, number=number)
    after, said = _next_transition(state, "resolved", "good", now_ms, "operator", released=release)
    after = msgspec.structs.replace(after, closed_for_good=True, suppressed_by_override=False)
    return after, msgspec.structs.replace(said, decided=by)


def alert_id(customer: str, scope: str, rule: str, episode: int) -> str:
    """The id that all transitions of one episode share: 32 hex digits."""
    return _digest(customer, scope, rule, str(episode))


def transition_id(
    customer: str,
    scope: str,
    rule: str,
    episode: int,
    transition: int,
    level: Level,
    kind: TransitionKind = "opened",
) -> str:
    """The id of one transition: 32 hex digits.

    The level is part of it. What is judged again after a crash may by then be another level; under the id that was
    sent already a consumer would drop it, and so miss that a warning became critical. So is the kind where the level
    alone does not tell it.
    """
    named = (kind,) if kind in NAMED_IN_ID else ()
    return _digest(customer, scope, rule, str(episode), str(transition), level, *named)


def _goes_on(state: AlertState, now_ms: int, cool_down_ms: int, same_episode: bool) -> bool:
    """Whether what opens now is the episode that was resolved last."""
    if state.episode == 0 or state.closed_for_good:
        return False
    return same_episode or now_ms - state.changed_ms < cool_down_ms


def _reopened(state: AlertState, level: Level, now_ms: int, cause: Cause) -> tuple[AlertState, Transition]:
    flaps = state.reopened_ms if state.suppressed_by_override else (*state.reopened_ms, now_ms)[-FLAPS:]
    return _next_transition(state, "reopened", level, now_ms, cause, reopened_ms=flaps, suppressed_by_override=False)


def _below(
    state: AlertState, holding: Level, now_ms: int, hold_ms: int, cause: Cause
) -> tuple[AlertState, Transition | None]:
    """A level that does not hold: note since when and why, and leave it once the hold time is over."""
    new = state.below_since_ms is None
    since = now_ms if state.below_since_ms is None else state.below_since_ms
    why = cause if new else state.below_cause
    highest = max(state.below_level, holding, key=RANK.__getitem__)
    if now_ms - since >= hold_ms:
        after, transition = _changed(state, highest, now_ms, why)
        if RANK[holding] < RANK[highest]:
            after = msgspec.structs.replace(after, below_since_ms=now_ms, below_level=holding, below_cause=cause)
        return after, transition
    return msgspec.structs.replace(state, below_since_ms=since, below_level=highest, below_cause=why), None


def _changed(state: AlertState, level: Level, now_ms: int, cause: Cause) -> tuple[AlertState, Transition]:
    kind: TransitionKind = "de-escalated"
    if level == "good":
        kind = "resolved"
    elif RANK[level] > RANK[state.level]:
        kind = "escalated"
    return _next_transition(state, kind, level, now_ms, cause, suppressed_by_override=False)


def _next_transition(
    state: AlertState, kind: TransitionKind, level: Level, now_ms: int, cause: Cause, **changes: object
) -> tuple[AlertState, Transition]:
    """The next transition of the episode. A level that rises ends the acknowledgement, and so does the resolution."""
    if kind not in SAID_OF_IT:
        changes |= {"below_since_ms": None, "below_level": "good", "below_cause": "events"}
    if RANK[level] > RANK[state.level]:
        changes["raised_ms"] = now_ms
    if RANK[level] >= ACTED_ON > RANK[state.level]:
        changes["excessive_ms"] = now_ms
    if RANK[level] < ACTED_ON:
        changes["held"] = None
    if RANK[level] > RANK[state.level] or kind == "resolved":
        changes["acknowledged"] = None
    after = msgspec.structs.replace(state, level=level, transition=state.transition + 1, changed_ms=now_ms, **changes)
    return after, _transition(after, kind, state.level, cause)


def _transition(after: AlertState, kind: TransitionKind, previous: Level, cause: Cause) -> Transition:
    return Transition(
        customer=after.customer,
        scope=after.scope,
        rule=after.rule,
        kind=kind,
        level=after.level,
        previous_level=previous,
        episode=after.episode,
        transition=after.transition,
        time_ms=after.changed_ms,
        opened_ms=after.opened_ms,
        cause=cause,
        acknowledged=after.acknowledged,
        override=after.override,
        held=after.held,
        released=after.released,
    )


def _digest(*parts: str) -> str:
    """Each part goes in after its length, so that no two lists of parts are one text."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
