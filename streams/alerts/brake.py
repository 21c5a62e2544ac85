"""The brake: where many customers newly reach `excessive` at once, most likely none of them did anything. Pure.

Whatever the rules miss, no more customers than a limit can be acted on within some minutes without a person having
looked: as soon as more of them rise, all who rose within those minutes are held, those too whose alerts went out before
the limit was reached. So of any such minutes no more than the limit stay unheld, in whatever order the customers come
and however many monitors judge them, besides those of whom others tell that it is they (`told_by_others`). These are
counted as all others. One bad customer alone is never held.

A hold ends for new alerts once fewer rise; what is held stays so until somebody decides.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas.alert import Held
from schemas.hold import Hold, hold_id
from schemas.policy import Brake
from schemas.policy_metric import Metric
from schemas.scope import CUSTOMER
from streams.alerts.lifecycle import ACTED_ON, AlertState, SubjectRule, Transition, confirmed, held_back
from streams.alerts.outcome import SubjectOutcome
from streams.judge.verdict import RANK, Verdict


def limit_of(brake: Brake, active: int) -> int:
    """How many customers may rise within the brake's minutes, of so many active ones."""
    return max(brake.customers, int(brake.share * active))


def next_hold(known: Hold | None, risen: int, limit: int, brake: Brake, now_ms: int) -> Hold | None:
    """The hold in force once `risen` customers have risen within the brake's minutes up to `now_ms` (epoch ms); None
    where that is within the limit. `known` is the last hold there was: one that ended a moment ago goes on."""
    if risen <= limit:
        return None
    from_ms = now_ms - brake.period_ms
    if known is not None and known.until_ms >= from_ms:
        until_ms, customers = max(known.until_ms, now_ms), max(known.customers, risen)
        return msgspec.structs.replace(known, until_ms=until_ms, customers=customers)
    return Hold(
        id=hold_id(now_ms, brake.minutes),
        reason="brake",
        began_ms=now_ms,
        from_ms=from_ms,
        until_ms=now_ms,
        customers=risen,
        limit=limit,
        minutes=brake.minutes,
    )


def as_held(hold: Hold) -> Held:
    """What an alert says of the hold that it is in."""
    return Held(id=hold.id, reason=hold.reason, since_ms=hold.began_ms, customers=hold.customers)


def rises(outcome: SubjectOutcome) -> Iterator[tuple[Transition, Verdict]]:
    """The alerts of a customer that rise to where somebody may act."""
    if not outcome.subject.customer:
        return
    for transition, verdict in outcome.transitions:
        if RANK[transition.level] >= ACTED_ON > RANK[transition.previous_level]:
            yield transition, verdict


def was_risen(states: Iterable[AlertState], scope: str, before_ms: int) -> bool:
    """Whether a customer was acted on before a time (epoch ms), for this scope or for all of its mail: `states` are
    all of its alerts."""
    return any(
        RANK[each.level] >= ACTED_ON
        and each.held is None
        and each.scope in (CUSTOMER, scope)
        and each.excessive_ms < before_ms
        for each in states
    )


def newly_risen(
    outcomes: Iterable[SubjectOutcome],
    states: Mapping[str, Collection[AlertState]],
    besides: Collection[SubjectRule],
    now_ms: int,
) -> set[str]:
    """The customers who rise now, and were neither risen nor held before. `states` are their alerts before, by
    customer; alerts in `besides` are held for another reason."""
    return {
        each.customer
        for outcome in outcomes
        for each, _ in rises(outcome)
        if (each.customer, each.scope, each.rule) not in besides
        and not was_risen(states.get(each.customer, ()), each.scope, now_ms)
        and not any(state.held and state.held.reason == "brake" for state in states.get(each.customer, ()))
    }


def covers(hold: Hold, state: AlertState, others: Collection[AlertState]) -> bool:
    """Whether an alert that is not held, and whose customer's alerts are `others`, belongs to a hold by the brake: it
    rose while that lasted, the customer had not risen before, and nobody confirmed that it is bad."""
    return (
        hold.reason == "brake"
        and hold.from_ms < state.excessive_ms <= hold.until_ms
        and all(each.confirmed != hold.id for each in (state, *others))
        and not was_risen(others, state.scope, hold.from_ms + 1)
    )


def with_held(
    outcome: SubjectOutcome,
    known: Mapping[SubjectRule, AlertState],
    held_for: Callable[[AlertState, Metric], Held | None],
    now_ms: int,
) -> SubjectOutcome:
    """The outcome with those alerts held for which `held_for` names a hold: what rises now says so, what was sent
    before is followed by a transition that does."""
    states = {state.key: state for state in outcome.states}
    transitions: list[tuple[Transition, Verdict]] = list(outcome.transitions)
    for verdict in outcome.judgement.verdicts:
        key = (*outcome.key, verdict.rule)
        state = states.get(key) or known.get(key)
        if state is None or RANK[state.level] < ACTED_ON or state.held is not None:
            continue
        if (held := held_for(state, verdict.metric)) is None:
            continue
        place = _risen_at(transitions, verdict.rule)
        if place is None:
            states[key], said = held_back(state, held, now_ms)
            transitions.append((said, verdict))
        else:
            states[key] = msgspec.structs.replace(state, held=held)
            for later, (each, said_of) in enumerate(transitions[place:], start=place):
                if each.rule == verdict.rule:
                    transitions[later] = (msgspec.structs.replace(each, held=held), said_of)
    return SubjectOutcome(outcome.judgement, outcome.subject, outcome.standing, list(states.values()), transitions)


def told_by_others(
    outcome: SubjectOutcome,
    known: Mapping[SubjectRule, AlertState],
    held_for: Callable[[AlertState, Metric], Held | None],
    metrics: Collection[Metric],
    now_ms: int,
) -> tuple[SubjectOutcome, set[SubjectRule]]:
    """The outcome of a customer of whom others tell that it is they, by these metrics: what would be held is no part of
    that hold, and what is held is confirmed where its level holds. And which alerts these are."""
    states = {state.key: state for state in outcome.states}
    transitions: list[tuple[Transition, Verdict]] = list(outcome.transitions)
    told: set[SubjectRule] = set()
    for verdict in outcome.judgement.verdicts:
        key = (*outcome.key, verdict.rule)
        state = states.get(key) or known.get(key)
        if state is None or RANK[state.level] < ACTED_ON or verdict.metric not in metrics:
            continue
        if state.held is None:
            if (held := held_for(state, verdict.metric)) is None:
                continue
            states[key] = msgspec.structs.replace(state, confirmed=held.id)
        elif RANK[verdict.holding_level] >= ACTED_ON:
            states[key], said = confirmed(state, None, now_ms)
            transitions.append((said, verdict))
        else:
            continue
        told.add(key)
    after = SubjectOutcome(outcome.judgement, outcome.subject, outcome.standing, list(states.values()), transitions)
    return after, told


def _risen_at(transitions: Sequence[tuple[Transition, Verdict]], rule: str) -> int | None:
    """The place of the last transition by which the alert of a rule rose to where somebody may act."""
    found = None
    for place, (each, _) in enumerate(transitions):
        if each.rule == rule and RANK[each.level] >= ACTED_ON > RANK[each.previous_level]:
            found = place
    return found
