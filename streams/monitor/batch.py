"""Judging a batch of customers, with all it reads and writes: windows in, alerts, states and standings out.

Order: alerts are sent and acknowledged, then stored, then the states. A crash in between makes the next run
repeat alerts under the same ids, which consumers drop; no alert is lost.

A batch costs a few queries, however many customers it has, and little Python: who is below every threshold and has no
open alert, hence nearly everybody, is not judged one by one (`streams.judge.screen`).
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from schemas.alert import Acknowledgement, AlertEvent, Evidence, Level
from schemas.counts import SubjectCounts
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.policy_override import Override
from schemas.policy_rule import Rule
from schemas.providers import Providers
from schemas.scope import SHARED
from schemas.settings import MonitorSettings
from schemas.standing import stored_standing
from schemas.topics import REPUTATION_ALERTS
from streams.alerts.cause import Basis, override_key
from streams.alerts.describe import alert_event
from streams.alerts.evidence import collect
from streams.alerts.evidence_history import Subject
from streams.alerts.lifecycle import AlertState, Transition
from streams.alerts.outcome import JudgementContext, advance_alert, worth_storing
from streams.alerts.record import SubjectRule, read_lives, store_alerts, store_decided, store_states
from streams.alerts.removed_rules import end_alerts
from streams.alerts.standings import SHOWN_WINDOW, Rows, Standings, nothing_shown, shown_numbers
from streams.io.instrument import counter, gauge
from streams.io.store import Store
from streams.judge.screen import screen
from streams.judge.verdict import NOTHING, RANK, Judgement, Verdict, judge, measured
from streams.monitor.context import BatchContext, load_batch_context
from streams.subjects.arrays import Subjects
from streams.windows.current import Windows
from streams.windows.pools import NOBODY, Pooled, Pools, judge_pool, pool_evidence
from streams.windows.providers import Group

#: Who must be judged again although nothing new came: windows slide, and what was excessive may be over.
NOT_GOOD = f"""
SELECT DISTINCT customer FROM standings FINAL
WHERE {stored_standing("standing")} NOT IN ('good', 'insufficient_volume')
"""  # noqa: S608 - made of texts of this project only

#: Everybody with mail in the longest window, and who has an alert that an override holds at good: it ends with that,
#: although the customer stands well and may send nothing any more.
EVERYBODY = """
SELECT DISTINCT customer FROM counts WHERE dimension = 'provider' AND bucket >= toDateTime({since:UInt32})
UNION DISTINCT
SELECT customer
FROM (SELECT customer, argMax(state, updated) AS last FROM alert_states GROUP BY customer, scope, rule)
WHERE customer != '' AND JSONExtractBool(last, 'lifted')
"""

#: What pools have over more than a day is so old at most: to read it, a month of all customers is summed up.
LONG_POOLS_MS = 600_000

DEFAULTS = MonitorSettings()


@dataclass
class JudgingTotals:
    """Running totals of one monitor."""

    judged: int = counter("Judgements of a customer or another subject.")
    batches: int = counter("Batches of changed customers judged.")
    alerts: int = counter("Transitions of alerts sent.")
    last_batch_seconds: float = gauge("How long the last batch took.")


@dataclass(frozen=True, slots=True)
class SubjectOutcome:
    """One subject's judgement and what it changed."""

    judgement: Judgement
    subject: SubjectCounts
    standing: str
    states: list[AlertState]
    transitions: list[tuple[Transition, Verdict]]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch: the alerts sent, and which customers are to be judged again, each at a time (epoch ms).

    Those were judged by long windows that were read a while ago, or their numbers are not shown yet.
    """

    alerts: list[AlertEvent] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)


class BatchJudge:
    """Judges customers and records it. One thread at a time."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        providers: Providers,
        publish: Callable[[str, bytes, bytes], None],
        acknowledged: Callable[[], None],
        settings: MonitorSettings = DEFAULTS,
    ) -> None:
        self._store = store
        self._settings = settings
        self._fbl = providers.with_feedback_loop()
        self._publish = publish
        self._acknowledged = acknowledged
        self.metrics = JudgingTotals()
        self.set_policy(policy)

    def set_policy(self, policy: Policy) -> None:
        """Judge by this policy from now on. What was kept of windows and standings is read again."""
        self.policy = policy
        settings = self._settings
        self._lengths = {name: window_ms(name) for name in policy.windows}
        self._with_overrides = {each.customer for each in policy.overrides}
        used = {SHOWN_WINDOW, *(window for rule in policy.rules for window in rule.reads)}
        self._counted = {name: length for name, length in self._lengths.items() if name in used}
        self._windows = Windows.for_policy(
            self._store,
            policy,
            self._counted,
            self._fbl,
            int(settings.long_windows_every_s * 1000),
            settings.customers_kept,
        )
        self._pools = [
            Pools(self._store, policy, self._fbl, LONG_POOLS_MS, kind) for kind in SHARED if kind in policy.scopes
        ]
        self._standings = Standings(
            self._store, policy.version, int(settings.standings_every_s * 1000), 2 * settings.customers_kept
        )

    def judge_customers(self, customers: Iterable[str], now_ms: int) -> BatchResult:
        """Judge, alert, store.

        Raises:
            StoreError, BrokerError: nothing is lost; judge the same customers again.
        """
        began = time.monotonic()
        wanted = sorted(set(customers))
        if not wanted:
            return BatchResult()
        counted, again = self._windows.read(wanted, now_ms)
        subjects = counted.of_scopes(self.policy.scopes)
        states, acknowledgements, unsent = read_lives(self._store, wanted, now_ms)
        screened = screen(subjects, self.policy)
        closely = self._with_overrides | {state.customer for state in states.values() if state.watched}
        singly = screened.remarkable | np.array(list(map(closely.__contains__, subjects.customers)), np.bool_)
        places = singly.nonzero()[0].tolist()
        closely_judged = [
            (subject, judge(subject, self.policy, now_ms))
            for subject in with_open_alerts([subjects.one(place) for place in places], states)
        ]
        context = load_batch_context(
            self._store,
            self._standings,
            wanted,
            [judgement for _, judgement in closely_judged],
            states,
            acknowledgements,
            self.policy,
            self._fbl,
            now_ms,
        )
        outcomes = [self._outcome(subject, judgement, states, context) for subject, judgement in closely_judged]
        gone = end_alerts(self._store, states, self.policy, now_ms)
        alerts = gone.alerts + self._alerts(outcomes, now_ms)
        changed = [state for outcome in outcomes for state in outcome.states]
        sent = self._record(gone.states + changed, alerts, states, unsent, now_ms)
        again += self._standings.show(
            self._shown(subjects, screened.insufficient_volume.tolist(), places, outcomes), now_ms
        )
        self.metrics.judged += len(wanted)
        self.metrics.batches += 1
        self.metrics.alerts += len(sent)
        self.metrics.last_batch_seconds = time.monotonic() - began
        return BatchResult(sent, again)

    def judge_pools(self, now_ms: int) -> list[AlertEvent]:
        """Judge the small customers of each pool, From domain or plan together, alert, store; they have no standing.

        Where the policy does not judge those (any more), what is open ends as if they had no mail.

        Raises:
            StoreError, BrokerError: nothing is lost; judge them again.
        """
        states, acknowledgements, unsent = read_lives(self._store, [NOBODY], now_ms)
        found = [pool for pools in self._pools for pool in pools.read(now_ms)]
        silent = {state[1] for state, known in states.items() if known.is_open} - {each.scope for each in found}
        found += [Pooled(scope, {}) for scope in sorted(silent)]
        outcomes = [self._pool_outcome(pool, states, acknowledgements, now_ms) for pool in found]
        gone = end_alerts(self._store, states, self.policy, now_ms)
        alerts = gone.alerts + self._pool_alerts(outcomes, now_ms)
        changed = [state for each in outcomes for state in each.states]
        sent = self._record(gone.states + changed, alerts, states, unsent, now_ms)
        self.metrics.alerts += len(sent)
        return sent

    def forget(self) -> None:
        """Keep nothing that another monitor may have changed, or that is no longer asked for."""
        self._windows.forget()
        for pools in self._pools:
            pools.forget()
        self._standings.forget()

    def not_good(self) -> set[str]:
        """Customers whose standing is other than good."""
        return {str(customer) for (customer,) in self._store.rows(NOT_GOOD)}

    def everybody(self, now_ms: int) -> set[str]:
        """Customers with mail in the longest window, or with an open alert that an override holds at good."""
        since = max(0, (now_ms - max(self._lengths.values())) // 1000)
        return {str(customer) for (customer,) in self._store.rows(EVERYBODY, {"since": since})}

    def _record(
        self,
        changed: Sequence[AlertState],
        alerts: Sequence[AlertEvent],
        known: Mapping[SubjectRule, AlertState],
        unsent: Mapping[SubjectRule, Sequence[AlertEvent]],
        now_ms: int,
    ) -> list[AlertEvent]:
        """Store what changed, and send the alerts, those first that an earlier try left `unsent`; all that was sent.

        An alert is never out without its state: a monitor that stops in between leaves both to the next try, which may
        see other counts, and could otherwise not resolve what it does not know of.
        """
        owed: dict[SubjectRule, list[AlertEvent]] = {key: list(events) for key, events in unsent.items()}
        for alert in alerts:
            owed.setdefault((alert.data.customer, alert.data.scope, alert.data.rule), []).append(alert)
        store_decided(self._store, changed, owed, now_ms)
        sent = [alert for events in owed.values() for alert in events]
        self._send(sent, now_ms)
        settled = {state.key for state in changed}
        store_states(self._store, [*changed, *(known[key] for key in unsent if key not in settled)], now_ms)
        return sent

    def _send(self, alerts: Sequence[AlertEvent], now_ms: int) -> None:
        for alert in alerts:
            self._publish(REPUTATION_ALERTS, alert.subject.encode(), msgspec.json.encode(alert))
        if alerts:
            self._acknowledged()
            store_alerts(self._store, alerts, now_ms)

    def _outcome(
        self,
        subject: SubjectCounts,
        judgement: Judgement,
        states: Mapping[SubjectRule, AlertState],
        context: BatchContext,
    ) -> SubjectOutcome:
        whose = subject.customer, subject.scope
        changed: list[AlertState] = []
        open_levels: list[Level] = []
        transitions: list[tuple[Transition, Verdict]] = []
        overrides = self.policy.overrides_for(*whose, judgement.now_ms)
        rules = {rule.name: rule for rule in self.policy.rules_for(*whose, judgement.now_ms)}
        for verdict in judgement.verdicts:
            known, rule = states.get((*whose, verdict.rule)), rules[verdict.rule]
            now = self._basis(rule, subject, judgement.now_ms, overrides)
            state, said = advance_alert(
                known, verdict, rule, context.of(known, now, rule, whose, overrides), whose, self._counted
            )
            if state is not None and worth_storing(known, state):
                changed.append(state)
            transitions += [(each, verdict) for each in said]
            if state is not None and state.level != "good":
                open_levels.append(state.level)
        # An alert that is still held is where the customer stands, though the rate may have fallen by now.
        standing = max(open_levels, key=RANK.__getitem__, default=judgement.standing)
        return SubjectOutcome(judgement, subject, standing, changed, transitions)

    def _pool_outcome(
        self,
        pool: Pooled,
        states: Mapping[SubjectRule, AlertState],
        acknowledgements: Mapping[str, Acknowledgement],
        now_ms: int,
    ) -> SubjectOutcome:
        judgement = judge_pool(pool, self.policy, now_ms)
        whose = NOBODY, pool.scope
        outcome = SubjectOutcome(judgement, empty(*whose), judgement.standing, [], [])
        rules = {rule.name: rule for rule in self.policy.rules}
        for verdict in judgement.verdicts:
            known, rule = states.get((*whose, verdict.rule)), rules[verdict.rule]
            context = JudgementContext(
                now=self._basis(rule, pool.by_rule.get(verdict.rule, outcome.subject), now_ms, ()),
                acknowledgement=None if known is None else acknowledgements.get(known.alert_id),
            )
            state, said = advance_alert(known, verdict, rule, context, whose, self._counted)
            if state is not None and worth_storing(known, state):
                outcome.states.append(state)
            outcome.transitions.extend((each, verdict) for each in said)
        return outcome

    def _basis(self, rule: Rule, subject: SubjectCounts, now_ms: int, overrides: tuple[Override, ...]) -> Basis:
        return Basis(
            time_ms=now_ms,
            policy_version=self.policy.version,
            overrides=override_key(overrides, rule),
            counts={
                window: measured(
                    rule.metric,
                    subject.mail_to(rule.mail_to).get(window, NOTHING),
                    self.policy.expired_is_failure,
                    rule.counted_weights,
                )
                for window in self._counted
            },
        )

    def _alerts(self, outcomes: Sequence[SubjectOutcome], now_ms: int) -> list[AlertEvent]:
        mail_to = {rule.name: rule.mail_to for rule in self.policy.rules}
        wanted: dict[tuple[str, str, Group], dict[Subject, float]] = defaultdict(dict)
        for outcome in outcomes:
            for _, verdict in outcome.transitions:
                whose = outcome.subject.customer, outcome.subject.scope
                wanted[verdict.metric, verdict.window, mail_to[verdict.rule]][whose] = verdict.threshold
        evidence: dict[tuple[str, str, Group], dict[Subject, Evidence]] = {
            (metric, window, group): collect(
                self._store,
                list(thresholds),
                metric,
                self._lengths[window],
                self._fbl,
                now_ms,
                thresholds,
                expired_is_failure=self.policy.expired_is_failure,
                mail_to=group,
            )
            for (metric, window, group), thresholds in wanted.items()
        }
        return [
            alert_event(
                transition,
                verdict,
                outcome.judgement,
                evidence[verdict.metric, verdict.window, mail_to[verdict.rule]][
                    outcome.subject.customer, outcome.subject.scope
                ],
                self.policy,
            )
            for outcome in outcomes
            for transition, verdict in outcome.transitions
        ]

    def _pool_alerts(self, outcomes: Sequence[SubjectOutcome], now_ms: int) -> list[AlertEvent]:
        rules = {rule.name: rule for rule in self.policy.rules}
        return [
            alert_event(
                transition,
                verdict,
                outcome.judgement,
                pool_evidence(
                    self._store,
                    transition.scope,
                    rules[verdict.rule],
                    verdict.window,
                    self.policy,
                    self._fbl,
                    now_ms,
                ),
                self.policy,
            )
            for outcome in outcomes
            for transition, verdict in outcome.transitions
        ]

    def _shown(
        self,
        subjects: Subjects,
        insufficient_volume: Sequence[bool],
        places: Sequence[int],
        outcomes: Sequence[SubjectOutcome],
    ) -> Rows:
        """What the table is to say of all subjects: the outcomes are those at `places`, then those without any mail."""
        silent = outcomes[len(places) :]
        numbers = shown_numbers(subjects, self.policy)
        rows = Rows(
            subjects=[
                *zip(subjects.customers, subjects.scopes, strict=True),
                *((outcome.subject.customer, outcome.subject.scope) for outcome in silent),
            ],
            standings=["insufficient_volume" if each else "good" for each in insufficient_volume]
            + [each.standing for each in silent],
            reasons=[()] * len(subjects) + [_reasons(outcome) for outcome in silent],
            numbers=np.concatenate((numbers, nothing_shown(len(silent)))),
        )
        for place, outcome in zip(places, outcomes, strict=False):
            rows.standings[place] = outcome.standing
            rows.reasons[place] = _reasons(outcome)
        return rows


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


def _reasons(outcome: SubjectOutcome) -> tuple[str, ...]:
    return tuple(verdict.rule for verdict in outcome.judgement.verdicts if verdict.level != "good")
