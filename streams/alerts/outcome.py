"""What a judgement makes of the alerts of its subject, by all that is known besides. Pure.

What made an alert change is found from the judgement before and this one, and only what those two can prove is said.
See docs/alerts.md for what each word promises.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.alert import Acknowledgement, Cause, OperatorOverride
from schemas.counts import SubjectCounts
from schemas.levels import Level
from schemas.policy import Policy
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.times import MINUTE_MS
from streams.alerts.lifecycle import (
    ACTED_ON,
    AlertState,
    Basis,
    SubjectRule,
    Transition,
    acknowledged,
    begun_anew,
    confirmed,
    overridden,
    released,
    step,
)
from streams.decisions.overrides import operators
from streams.judge.verdict import NOTHING, RANK, Judgement, Verdict, measured
from streams.subjects.arrays import StreamKey
from streams.subjects.fresh_starts import FreshStart

#: By what an open alert was judged is recorded at least so often; a cause is found by what is recorded.
RECORD_MS = MINUTE_MS
#: Counts that belong so long before the last judgement, and were not there then, came late.
LATE_MS = 15 * MINUTE_MS


class LastShown(NamedTuple):
    """What the table says of the last judgement of a subject, at `time_ms` (epoch ms) or after it to the same numbers.

    `failed` and `blocked` are recipients of the last 24 h, of `volume` finished ones.
    """

    standing: str
    since_ms: int
    time_ms: int
    policy_version: str
    volume: int
    failed: int
    blocked: int


class HoldDecision(NamedTuple):
    """What an operator decided of a customer's held alerts: they are confirmed, or else released; or the incident
    because of which they are held is none, which confirms those that are still bad."""

    is_confirmed: bool
    said: Acknowledgement
    is_dismissal: bool = False

    def is_about(self, state: AlertState, verdict: Verdict) -> bool:
        """Whether it decides an alert. What is older than the alert was of others, and a rate that has fallen since is
        not confirmed because nobody else met the same."""
        if state.held is None or state.excessive_ms > self.said.time_ms:
            return False
        return not self.is_dismissal or RANK[verdict.holding_level] >= ACTED_ON


class JudgementContext(NamedTuple):
    """What there is to know besides the verdict.

    `now` is what this judgement is made by. `shown` is what the table of standings says of the last one, `override`
    the operator's in force, `acknowledgement` the last one of the episode. `late` says that only counts older than
    the resolution open the alert again, `released` that only mail of an incident, left out since, held its level
    up. `decision` is the last one of the hold that the alert is in.
    """

    now: Basis
    shown: Basis | None = None
    override: OperatorOverride | None = None
    acknowledgement: Acknowledgement | None = None
    late: bool = False
    released: bool = False
    decision: HoldDecision | None = None


class BatchContext(NamedTuple):
    """Of a batch: what was last shown of subjects whose alerts open, acknowledgements by alert, and which alerts late
    counts open again. What is asked of the store besides the counts, for those few whose alerts may change by it.
    `left_out` names the mail that is left out as that of incidents, `released` are alerts that only it held up.
    `fresh_starts` are the last ones of customers, `decisions` those of operators of what is held, by customer and
    hold. It was `asked` of these customers how they were last shown."""

    shown: Mapping[StreamKey, LastShown]
    acknowledgements: Mapping[str, Acknowledgement]
    late: frozenset[SubjectRule]
    left_out: str = ""
    released: frozenset[SubjectRule] = frozenset()
    fresh_starts: Mapping[str, FreshStart] = {}
    decisions: Mapping[tuple[str, str], HoldDecision] = {}
    asked: Collection[str] = ()

    def of(
        self, state: AlertState | None, now: Basis, rule: Rule, whose: StreamKey, overrides: Sequence[Override]
    ) -> JudgementContext:
        """What there is to know of one rule's verdict on `whose` mail (customer and scope)."""
        return JudgementContext(
            now=now,
            shown=_as_judged(self.shown.get(whose), rule),
            override=operators(overrides, rule.name) if overrides else None,
            acknowledgement=None if state is None else self.acknowledgements.get(state.alert_id),
            late=(*whose, rule.name) in self.late,
            released=(*whose, rule.name) in self.released,
            decision=None
            if state is None or state.held is None
            else self.decisions.get((state.customer, state.held.id)),
        )


@dataclass(frozen=True, slots=True)
class SubjectOutcome:
    """One subject's judgement and what it changed: `states` are to be stored, `transitions` to be reported, each with
    the verdict it came of."""

    judgement: Judgement
    subject: SubjectCounts
    standing: str
    states: list[AlertState]
    transitions: list[tuple[Transition, Verdict]]

    @property
    def key(self) -> StreamKey:
        """Customer and scope."""
        return self.subject.customer, self.subject.scope

    @property
    def reasons(self) -> tuple[str, ...]:
        """The rules whose verdict is other than good."""
        return tuple(verdict.rule for verdict in self.judgement.verdicts if verdict.level != "good")


def alarming(outcome: SubjectOutcome) -> Iterator[Verdict]:
    """What newly reaches a level at which somebody may act."""
    for each, verdict in outcome.transitions:
        if RANK[each.level] >= ACTED_ON and RANK[each.level] > RANK[each.previous_level]:
            yield verdict


def alarms(outcome: SubjectOutcome) -> bool:
    """Whether a customer newly reaches such a level."""
    return any(True for _ in alarming(outcome))


def subject_outcome(
    subject: SubjectCounts,
    judgement: Judgement,
    states: Mapping[SubjectRule, AlertState],
    context: BatchContext,
    policy: Policy,
    lengths: Mapping[str, int],
    by_rule: Mapping[str, SubjectCounts] | None = None,
) -> SubjectOutcome:
    """What a judgement makes of the alerts of its subject. `lengths` are those of the windows in ms.

    Of what small customers share each rule has counted others: `by_rule`.
    """
    whose = subject.customer, subject.scope
    changed: list[AlertState] = []
    open_levels: list[Level] = []
    transitions: list[tuple[Transition, Verdict]] = []
    overrides = policy.overrides_for(*whose, judgement.now_ms)
    rules = {rule.name: rule for rule in policy.rules_for(*whose, judgement.now_ms)}
    for verdict in judgement.verdicts:
        known = states.get((*whose, verdict.rule))
        if known is None and verdict.level == "good" and not overrides:
            continue  # as nearly always: there is no alert, and none opens
        rule = rules[verdict.rule]
        counts = subject if by_rule is None else by_rule.get(rule.name, subject)
        now = _basis(rule, counts, judgement, overrides, policy.expired_is_failure, lengths)
        fresh = context.fresh_starts.get(subject.customer)
        now = msgspec.structs.replace(now, left_out=context.left_out, fresh_ms=fresh.decided_ms if fresh else 0)
        state, said = advance_alert(
            known, verdict, rule, context.of(known, now, rule, whose, overrides), whose, lengths
        )
        if state is not None and worth_storing(known, state):
            changed.append(state)
        transitions += [(each, verdict) for each in said]
        if state is not None and state.level != "good":
            open_levels.append(state.level)
    # An alert that is still held is where the customer stands, though the rate may have fallen by now.
    standing = max(open_levels, key=RANK.__getitem__, default=judgement.standing)
    return SubjectOutcome(judgement, subject, standing, changed, transitions)


def with_open_alerts(
    subjects: Sequence[SubjectCounts], states: Mapping[SubjectRule, AlertState]
) -> list[SubjectCounts]:
    """The subjects, and with empty windows those that have an open alert but no mail left in any window.

    Without these the alert of a customer who stopped sending would stay open for ever.
    """
    present = {(each.customer, each.scope) for each in subjects}
    silent = {state[:2] for state, known in states.items() if known.is_open} - present
    return [*subjects, *(empty(customer, scope) for customer, scope in sorted(silent))]


def empty(customer: str, scope: str) -> SubjectCounts:
    """A subject without mail."""
    return SubjectCounts(customer=customer, scope=scope, windows={})


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
    if (decision := context.decision) and state and decision.is_about(state, verdict):
        if not decision.is_confirmed:
            # What the counts say of mail sent since is asked with the next judgement.
            state, end = released(state, decision.said, verdict.numerator, now_ms)
            return _recorded(state, context.now, changed=True), [each for each in (*found, end) if each is not None]
        state, said = confirmed(state, decision.said, now_ms, of_dismissed=decision.is_dismissal)
        found.append(said)
    cause: Cause = "late_events" if context.late else cause_of(_before(known, context.shown), context.now, lengths)
    if context.released and state is not None:
        # It was never this customer's: there is nothing to wait for.
        cause = "incident"
        state = msgspec.structs.replace(state, below_since_ms=None, below_level="good")
    anew = state is not None and context.now.fresh_ms > (state.basis.fresh_ms if state.basis else 0)
    if state is not None and anew:
        if RANK[verdict.holding_level] < RANK[state.level]:
            cause = "fresh-start"
        state = begun_anew(state)
    state, said = step(
        state,
        verdict,
        now_ms,
        0 if context.released or anew else rule.hold_ms,
        *subject,
        cool_down_ms=rule.cool_down_ms,
        cause=cause,
        same_episode=context.late,
    )
    if state is not None and anew and not state.is_open:
        state = begun_anew(state)
    transitions = [each for each in (*found, said) if each is not None]
    return _recorded(state, context.now, changed=bool(transitions)), transitions


def may_be_released(state: AlertState | None, verdict: Verdict, left_out: str) -> bool:
    """Whether to ask if only mail of incidents held the level up: it does not hold, and since the last judgement other
    mail is left out."""
    if state is None or state.basis is None or state.basis.left_out == left_out:
        return False
    return RANK[verdict.holding_level] < RANK[state.level]


def worth_storing(known: AlertState | None, after: AlertState | None) -> bool:
    """Whether a state says more than the one that is stored; that it was judged again is said now and then."""
    if after is None or after == known:
        return False
    if known is None or known.basis is None or after.basis is None:
        return True
    before, now = known.basis, after.basis
    return (
        msgspec.structs.replace(after, basis=before) != known
        or (before.policy_version, before.overrides, before.left_out, before.fresh_ms)
        != (now.policy_version, now.overrides, now.left_out, now.fresh_ms)
        or not before.time_ms <= now.time_ms < before.time_ms + RECORD_MS
    )


def cause_of(before: Basis | None, now: Basis, lengths: Mapping[str, int]) -> Cause:
    """What is new since the judgement before. `lengths` are those of the windows in ms.

    Of which nothing is known, `before` is None; that it was judged at all is then what is new: `events`.
    """
    if before is None:
        return "events"
    if before.policy_version != now.policy_version:
        return "policy"
    if before.overrides != now.overrides:
        return "override"
    grown = {
        window: (counts[0] - before.counts[window][0], counts[1] - before.counts[window][1])
        for window, counts in now.counts.items()
        if window in before.counts
    }
    if grown and all(n <= 0 and d <= 0 for n, d in grown.values()):
        return "time"
    return "late_events" if _came_late(before, now, grown, lengths) else "events"


def override_key(overrides: tuple[Override, ...], rule: Rule) -> str:
    """A short name of those overrides that are about a rule; empty without any."""
    about = [each for each in overrides if each.rule == rule.name]
    if not about:
        return ""
    return blake2b(msgspec.json.encode(about, order="deterministic"), digest_size=6).hexdigest()


def _basis(
    rule: Rule,
    subject: SubjectCounts,
    judgement: Judgement,
    overrides: tuple[Override, ...],
    expired_is_failure: bool,
    windows: Iterable[str],
) -> Basis:
    """By what a rule is judged now."""
    counts = subject.mail_to(rule.mail_to)
    return Basis(
        time_ms=judgement.now_ms,
        policy_version=judgement.policy_version,
        overrides=override_key(overrides, rule),
        counts={
            window: measured(rule.metric, counts.get(window, NOTHING), expired_is_failure, rule.counted_weights)
            for window in windows
        },
    )


def _as_judged(shown: LastShown | None, rule: Rule) -> Basis | None:
    """What was shown, as far as it says by what `rule` judged."""
    if shown is None:
        return None
    top = {"failure": shown.failed, "block": shown.blocked}.get(rule.metric)
    counts = {} if top is None else {"24h": (top, shown.volume)}
    return Basis(time_ms=shown.time_ms, policy_version=shown.policy_version, counts=counts)


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
    """With what it was judged by. What is not open keeps that of its resolution, with the present overrides and fresh
    start."""
    if state is None:
        return None
    if state.is_open or changed or state.basis is None:
        return msgspec.structs.replace(state, basis=now)
    basis = msgspec.structs.replace(state.basis, overrides=now.overrides, fresh_ms=now.fresh_ms)
    return msgspec.structs.replace(state, basis=basis)


def _came_late(before: Basis, now: Basis, grown: Mapping[str, tuple[int, int]], lengths: Mapping[str, int]) -> bool:
    """Whether a window gained more than lies in the time since the last judgement and `LATE_MS` before it."""
    reach = now.time_ms - before.time_ms + LATE_MS
    recent = min((window for window in now.counts if lengths[window] >= reach), key=lengths.__getitem__, default=None)
    if recent is None:
        return False
    return any(
        lengths[window] > lengths[recent]
        and any(more > max(0, lies) for more, lies in zip(gain, now.counts[recent], strict=True))
        for window, gain in grown.items()
    )
