"""The life of an alert: verdicts in, transitions out. Pure.

It opens and escalates at once. It de-escalates or resolves only after the rate has stayed below its level for
the hold time. Each opening after a resolution is a new episode; transitions are numbered within the episode.
"""

from hashlib import blake2b

import msgspec

from schemas.alert import Level, TransitionKind
from streams.judge import RANK, Verdict


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the alert of one (customer, scope, rule) stands; stored as JSON. Times are epoch ms, UTC.

    `level` is `good` once resolved. `episode` and `transition`, the last one of the episode, count from 1.
    `below_since_ms` is since when the level does not hold any more, `below_level` the highest level that did
    hold since then.
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


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an alert, at `time_ms` (epoch ms, UTC)."""

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

    @property
    def alert_id(self) -> str:
        """The id of the episode."""
        return alert_id(self.customer, self.scope, self.rule, self.episode)

    @property
    def id(self) -> str:
        """The id of this transition; the same change always has the same id."""
        return transition_id(self.customer, self.scope, self.rule, self.episode, self.transition, self.level)


def step(
    state: AlertState | None, verdict: Verdict, now_ms: int, hold_ms: int, customer: str, scope: str
) -> tuple[AlertState | None, Transition | None]:
    """The state after a verdict, and the transition if there is one. `state` is None before any alert.

    The same inputs give the same outputs; a second step with the same verdict and time changes nothing more.
    """
    if state is None or state.level == "good":
        if verdict.level == "good":
            return state, None
        opened = AlertState(
            customer=customer,
            scope=scope,
            rule=verdict.rule,
            level=verdict.level,
            episode=1 if state is None else state.episode + 1,
            transition=1,
            opened_ms=now_ms,
            changed_ms=now_ms,
        )
        return opened, _transition(opened, "opened", "good")
    if RANK[verdict.level] > RANK[state.level]:
        return _changed(state, verdict.level, now_ms)
    if RANK[verdict.holding_level] >= RANK[state.level]:
        return msgspec.structs.replace(state, below_since_ms=None, below_level="good"), None
    return _below(state, verdict.holding_level, now_ms, hold_ms)


def _below(state: AlertState, holding: Level, now_ms: int, hold_ms: int) -> tuple[AlertState, Transition | None]:
    """A level that does not hold: note since when, and leave it once the hold time is over."""
    since = now_ms if state.below_since_ms is None else state.below_since_ms
    highest = max(state.below_level, holding, key=RANK.__getitem__)
    if now_ms - since >= hold_ms:
        after, transition = _changed(state, highest, now_ms)
        if RANK[holding] < RANK[highest]:
            after = msgspec.structs.replace(after, below_since_ms=now_ms, below_level=holding)
        return after, transition
    return msgspec.structs.replace(state, below_since_ms=since, below_level=highest), None


def ended(state: AlertState, now_ms: int) -> tuple[AlertState, Transition]:
    """An open alert resolved at `now_ms`, whatever the rate: its rule is gone."""
    return _changed(state, "good", now_ms)


def alert_id(customer: str, scope: str, rule: str, episode: int) -> str:
    """The id that all transitions of one episode share: 32 hex digits."""
    return _digest(customer, scope, rule, str(episode))


def transition_id(customer: str, scope: str, rule: str, episode: int, transition: int, level: Level) -> str:
    """The id of one transition: 32 hex digits.

    The level is part of it. What is judged again after a crash may by then be another level; under the id that was
    sent already a consumer would drop it, and so miss that a warning became critical.
    """
    return _digest(customer, scope, rule, str(episode), str(transition), level)


def _changed(state: AlertState, level: Level, now_ms: int) -> tuple[AlertState, Transition]:
    kind: TransitionKind = "de-escalated"
    if level == "good":
        kind = "resolved"
    elif RANK[level] > RANK[state.level]:
        kind = "escalated"
    after = msgspec.structs.replace(
        state,
        level=level,
        transition=state.transition + 1,
        changed_ms=now_ms,
        below_since_ms=None,
        below_level="good",
    )
    return after, _transition(after, kind, state.level)


def _transition(after: AlertState, kind: TransitionKind, previous: Level) -> Transition:
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
    )


def _digest(*parts: str) -> str:
    """Each part goes in after its length, so that no two lists of parts are one text."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()
