"""One judgement of one rule, with all that is known besides, and what its alert makes of it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.alert import Acknowledgement, OperatorOverride
from schemas.policy_rule import Rule
from schemas.times import MINUTE_MS
from streams.alerts.cause import Basis, cause_of
from streams.alerts.lifecycle import AlertState, Transition, acknowledged, overridden, step
from streams.judge.verdict import Verdict

#: By what an open alert was judged is recorded at least so often; a cause is found by what is recorded.
RECORD_MS = MINUTE_MS


class JudgementContext(NamedTuple):
    """What there is to know besides the verdict.

    `now` is what this judgement is made by. `shown` is what the table of standings says of the last one, `override` the
    operator's in force, `acknowledgement` the last one of the episode. `late` says that only counts older than the
    resolution open the alert again.
    """

    now: Basis
    shown: Basis | None = None
    override: OperatorOverride | None = None
    acknowledgement: Acknowledgement | None = None
    late: bool = False


def advance_alert(
    known: AlertState | None,
    verdict: Verdict,
    rule: Rule,
    context: JudgementContext,
    subject: tuple[str, str],
    lengths: Mapping[str, int],
) -> tuple[AlertState | None, list[Transition]]:
    """The state after a judgement of `subject` (customer and scope), and what happened, in order.

    First what people decided, then what the verdict says. `lengths` are those of the windows in ms.
    """
    now_ms = context.now.time_ms
    state, found = known, list[Transition | None]()
    if state is None and (context.override is not None or context.now.overrides):
        state = _never_opened(subject, rule, now_ms)
    if state is not None and context.acknowledgement is not None:
        state, said = acknowledged(state, context.acknowledgement, now_ms)
        found.append(said)
    if state is not None:
        state, said = overridden(state, context.override, verdict, now_ms)
        found.append(said)
    cause = "late_events" if context.late else cause_of(_before(known, context.shown), context.now, lengths)
    state, said = step(
        state,
        verdict,
        now_ms,
        rule.hold_ms,
        *subject,
        cool_down_ms=rule.cool_down_ms,
        cause=cause,
        same_episode=context.late,
    )
    transitions = [each for each in (*found, said) if each is not None]
    return _recorded(state, context.now, changed=bool(transitions)), transitions


def worth_storing(known: AlertState | None, after: AlertState | None) -> bool:
    """Whether a state says more than the one that is stored; that it was judged again is said now and then."""
    if after is None or after == known:
        return False
    if known is None or known.basis is None or after.basis is None:
        return True
    before, now = known.basis, after.basis
    return (
        msgspec.structs.replace(after, basis=before) != known
        or (before.policy_version, before.overrides) != (now.policy_version, now.overrides)
        or not before.time_ms <= now.time_ms < before.time_ms + RECORD_MS
    )


def _never_opened(subject: tuple[str, str], rule: Rule, now_ms: int) -> AlertState:
    customer, scope = subject
    return AlertState(
        customer=customer,
        scope=scope,
        rule=rule.name,
        level="good",
        episode=0,
        transition=0,
        opened_ms=now_ms,
        changed_ms=now_ms,
    )


def _before(known: AlertState | None, shown: Basis | None) -> Basis | None:
    """The judgement before: of an open alert it is recorded with it, of any other subject with its standing. Overrides
    are recorded with the state only."""
    recorded = None if known is None else known.basis
    if known is not None and known.is_open:
        return recorded
    return None if shown is None else msgspec.structs.replace(shown, overrides=recorded.overrides if recorded else "")


def _recorded(state: AlertState | None, now: Basis, *, changed: bool) -> AlertState | None:
    """With what it was judged by. What is not open keeps that of its resolution, with the present overrides."""
    if state is None:
        return None
    if state.is_open or changed or state.basis is None:
        return msgspec.structs.replace(state, basis=now)
    return msgspec.structs.replace(state, basis=msgspec.structs.replace(state.basis, overrides=now.overrides))
