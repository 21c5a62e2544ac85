"""What is asked of the store in addition to a judgement, for those few whose alerts may change by it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.alert import Acknowledgement
from schemas.policy import Policy
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from streams.alerts.cause import Basis
from streams.alerts.late import LateReopen, reopened_late
from streams.alerts.lifecycle import AlertState
from streams.alerts.outcome import JudgementContext
from streams.alerts.record import SubjectRule
from streams.alerts.standings import LastShown, Standings
from streams.decisions.overrides import operators
from streams.io.store import Store
from streams.judge.verdict import Judgement
from streams.subjects.arrays import StreamKey


class BatchContext(NamedTuple):
    """Of a batch: what was last shown of subjects whose alerts open, acknowledgements by alert, and which alerts late
    counts open again."""

    shown: Mapping[StreamKey, LastShown]
    acknowledgements: Mapping[str, Acknowledgement]
    late: frozenset[SubjectRule]

    def of(
        self, state: AlertState | None, now: Basis, rule: Rule, whose: StreamKey, overrides: Sequence[Override]
    ) -> JudgementContext:
        """What there is to know of one rule's verdict on `whose` mail (customer and scope)."""
        return JudgementContext(
            now=now,
            shown=_as_judged(self.shown.get(whose), rule),
            override=operators(overrides, rule.name),
            acknowledgement=None if state is None else self.acknowledgements.get(state.alert_id),
            late=(*whose, rule.name) in self.late,
        )


def load_batch_context(
    store: Store,
    standings: Standings,
    batch: Sequence[str],
    judgements: Sequence[Judgement],
    states: Mapping[SubjectRule, AlertState],
    acknowledgements: Mapping[str, Acknowledgement],
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
) -> BatchContext:
    """Ask for all that in addition to the acknowledgements given; mostly there is nothing to ask.

    Raises:
        StoreError: the store failed.
    """
    opening = {
        judgement.customer
        for judgement in judgements
        for verdict in judgement.verdicts
        if verdict.level != "good" and not _is_open(states.get((judgement.customer, judgement.scope, verdict.rule)))
    }
    return BatchContext(
        shown=standings.last_shown(opening, batch),
        acknowledgements=acknowledgements,
        late=frozenset(_late(store, judgements, states, policy, feedback_loop, now_ms)),
    )


def _late(
    store: Store,
    judgements: Sequence[Judgement],
    states: Mapping[SubjectRule, AlertState],
    policy: Policy,
    feedback_loop: Sequence[str],
    now_ms: int,
) -> Iterable[SubjectRule]:
    reopening = []
    for judgement in judgements:
        rules = {rule.name: rule for rule in policy.rules_for(judgement.customer, judgement.scope, now_ms)}
        for verdict in judgement.verdicts:
            state = states.get((judgement.customer, judgement.scope, verdict.rule))
            if state is not None:
                reopening.append(LateReopen(state, verdict, rules[verdict.rule]))
    return reopened_late(store, reopening, policy, feedback_loop, now_ms)


def _is_open(state: AlertState | None) -> bool:
    return state is not None and state.is_open


def _as_judged(shown: LastShown | None, rule: Rule) -> Basis | None:
    """What was shown, as far as it says by what `rule` judged."""
    if shown is None:
        return None
    top = {"failure": shown.failed, "block": shown.blocked}.get(rule.metric)
    counts = {} if top is None else {"24h": (top, shown.volume)}
    return Basis(time_ms=shown.time_ms, policy_version=shown.policy_version, counts=counts)
