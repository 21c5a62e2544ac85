"""Judging a batch of customers, with all it reads and writes: windows in, alerts, states and standings out.

Order: alerts are sent and acknowledged, then stored, then the states. A crash in between makes the next run
repeat alerts under the same ids, which consumers drop; no alert is lost.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from schemas.alert import AlertEvent, Level
from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import Metric, Policy, window_ms
from schemas.providers import Providers
from schemas.topics import REPUTATION_ALERTS
from streams.describe import alert_event
from streams.evidence import collect
from streams.judge import RANK, Judgement, Verdict, judge, measured
from streams.lifecycle import AlertState, Transition, step
from streams.store import Store
from streams.windows import window_counts

STATES = """
SELECT customer, scope, rule, argMax(state, updated)
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
"""

STANDINGS = """
SELECT customer, scope, argMax(standing, updated), toUnixTimestamp64Milli(argMax(since, updated))
FROM standings
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope
"""

#: Who must be judged again although nothing new came: windows slide, and what was excessive may be over.
NOT_GOOD = """
SELECT DISTINCT customer FROM standings FINAL WHERE standing NOT IN ('good', 'too_small')
"""

#: Everybody with mail in the longest window; judged at the start and now and then, in case a change was lost.
EVERYBODY = """
SELECT DISTINCT customer FROM counts WHERE dimension = 'provider' AND bucket >= toDateTime({since:UInt32})
"""

#: The columns of `alerts` that are fields of the alert's data.
ALERT_COLUMNS = (
    *("customer", "scope", "rule", "episode", "transition", "kind", "level", "previous_level", "window"),
    *("numerator", "denominator", "rate", "lower", "upper", "threshold", "policy_version"),
)
SHOWN_WINDOW = "24h"
SHOWN_METRICS: tuple[Metric, ...] = ("complaint", "failure", "block", "exposure")

STATE = msgspec.json.Decoder(AlertState)
SubjectRule = tuple[str, str, str]


@dataclass
class Metrics:
    """Running totals of one monitor."""

    judged: int = 0
    batches: int = 0
    alerts: int = 0
    last_batch_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One subject's judgement and what it changed."""

    judgement: Judgement
    subject: SubjectCounts
    standing: str
    states: list[AlertState]
    transitions: list[tuple[Transition, Verdict]]


class Judge:
    """Judges customers and records it. One thread at a time."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        providers: Providers,
        publish: Callable[[str, bytes, bytes], None],
        acknowledged: Callable[[], None],
    ) -> None:
        self._store = store
        self.policy = policy
        self._fbl = providers.with_feedback_loop()
        self._publish = publish
        self._acknowledged = acknowledged
        self.metrics = Metrics()
        self._hold_ms = {rule.name: int(rule.hold_minutes * 60_000) for rule in policy.rules}
        self._windows = {name: window_ms(name) for name in policy.windows}

    def judge_customers(self, customers: Iterable[str], now_ms: int) -> list[AlertEvent]:
        """Judge, alert, store. Returns the alerts sent.

        Raises:
            StoreError, BrokerError: nothing is lost; judge the same customers again.
        """
        began = time.monotonic()
        wanted = sorted(set(customers))
        if not wanted:
            return []
        counted = window_counts(self._store, wanted, self._windows, self._fbl, now_ms)
        states = self._read_states(wanted)
        subjects = with_open_alerts(
            [each for each in counted if each.scope.partition(":")[0] in self.policy.scopes], states
        )
        outcomes = [self._outcome(subject, states, now_ms) for subject in subjects]
        alerts = [alert for outcome in outcomes for alert in self._alerts(outcome, now_ms)]
        for alert in alerts:
            self._publish(REPUTATION_ALERTS, alert.subject.encode(), msgspec.json.encode(alert))
        if alerts:
            self._acknowledged()
            self._store_alerts(alerts, now_ms)
        self._store_states([state for outcome in outcomes for state in outcome.states], now_ms)
        self._store_standings(outcomes, wanted, now_ms)
        self.metrics.judged += len(wanted)
        self.metrics.batches += 1
        self.metrics.alerts += len(alerts)
        self.metrics.last_batch_s = time.monotonic() - began
        return alerts

    def not_good(self) -> set[str]:
        """Customers whose standing is other than good."""
        return {str(customer) for (customer,) in self._store.rows(NOT_GOOD)}

    def everybody(self, now_ms: int) -> set[str]:
        """Customers with mail in the longest window."""
        since = max(0, (now_ms - max(self._windows.values())) // 1000)
        return {str(customer) for (customer,) in self._store.rows(EVERYBODY, {"since": since})}

    def _read_states(self, customers: list[str]) -> dict[SubjectRule, AlertState]:
        rows = self._store.rows(STATES, {"customers": customers})
        return {(customer, scope, rule): STATE.decode(state) for customer, scope, rule, state in rows}

    def _outcome(self, subject: SubjectCounts, states: dict[SubjectRule, AlertState], now_ms: int) -> Outcome:
        judgement = judge(subject, self.policy, now_ms)
        changed: list[AlertState] = []
        open_levels: list[Level] = []
        transitions: list[tuple[Transition, Verdict]] = []
        for verdict in judgement.verdicts:
            known = states.get((subject.customer, subject.scope, verdict.rule))
            state, transition = step(
                known, verdict, now_ms, self._hold_ms[verdict.rule], subject.customer, subject.scope
            )
            if state is not None and state != known:
                changed.append(state)
            if transition is not None:
                transitions.append((transition, verdict))
            if state is not None and state.level != "good":
                open_levels.append(state.level)
        # An alert that is still held is where the customer stands, though the rate may have fallen by now.
        standing = max(open_levels, key=RANK.__getitem__, default=judgement.standing)
        return Outcome(judgement, subject, standing, changed, transitions)

    def _alerts(self, outcome: Outcome, now_ms: int) -> list[AlertEvent]:
        return [
            alert_event(
                transition,
                verdict,
                outcome.judgement,
                collect(
                    self._store,
                    outcome.subject.customer,
                    outcome.subject.scope,
                    verdict.metric,
                    self._windows[verdict.window],
                    self._fbl,
                    now_ms,
                ),
                self.policy,
            )
            for transition, verdict in outcome.transitions
        ]

    def _store_alerts(self, alerts: list[AlertEvent], now_ms: int) -> None:
        data = [alert.data for alert in alerts]
        self._store.insert(
            "alerts",
            {
                **{name: [getattr(each, name) for each in data] for name in ALERT_COLUMNS},
                "time": [_time(now_ms)] * len(alerts),
                "id": [alert.id for alert in alerts],
                "event": [msgspec.json.encode(alert).decode() for alert in alerts],
            },
        )

    def _store_states(self, states: list[AlertState], now_ms: int) -> None:
        if states:
            self._store.insert(
                "alert_states",
                {
                    "customer": [state.customer for state in states],
                    "scope": [state.scope for state in states],
                    "rule": [state.rule for state in states],
                    "updated": [_time(now_ms)] * len(states),
                    "level": [state.level for state in states],
                    "state": [msgspec.json.encode(state).decode() for state in states],
                },
            )

    def _store_standings(self, outcomes: list[Outcome], customers: list[str], now_ms: int) -> None:
        known = {
            (customer, scope): (standing, since)
            for customer, scope, standing, since in self._store.rows(STANDINGS, {"customers": customers})
        }
        if not outcomes:
            return
        judgements = [outcome.judgement for outcome in outcomes]
        since = [
            before[1] if (before := known.get((j.customer, j.scope))) and before[0] == outcome.standing else now_ms
            for outcome in outcomes
            for j in (outcome.judgement,)
        ]
        shown = [_shown(outcome.subject, self.policy.expired_is_failure) for outcome in outcomes]
        self._store.insert(
            "standings",
            {
                "customer": [j.customer for j in judgements],
                "scope": [j.scope for j in judgements],
                "updated": [_time(now_ms)] * len(judgements),
                "standing": [outcome.standing for outcome in outcomes],
                "since": [_time(each) for each in since],
                "volume": [rates[0] for rates in shown],
                "complaint_rate": [rates[1] for rates in shown],
                "failure_rate": [rates[2] for rates in shown],
                "block_rate": [rates[3] for rates in shown],
                "exposure_rate": [rates[4] for rates in shown],
                "reasons": [[v.rule for v in j.verdicts if v.level != "good"] for j in judgements],
                "policy_version": [j.policy_version for j in judgements],
            },
        )


def with_open_alerts(
    subjects: Sequence[SubjectCounts], states: Mapping[SubjectRule, AlertState]
) -> list[SubjectCounts]:
    """The subjects, and with empty windows those that have an open alert but no mail left in any window.

    Without these the alert of a customer who stopped sending would stay open for ever.
    """
    present = {(each.customer, each.scope) for each in subjects}
    silent = {state[:2] for state, known in states.items() if known.level != "good"} - present
    empty = [SubjectCounts(customer=customer, scope=scope, windows={}) for customer, scope in sorted(silent)]
    return [*subjects, *empty]


def _shown(subject: SubjectCounts, expired_is_failure: bool) -> tuple[int, float, float, float, float]:
    """What a table shows: finished recipients, then complaint, failure, block and exposure rate, over 24 h."""
    counts = subject.windows.get(SHOWN_WINDOW, WindowCounts())
    complaint, failure, block, exposure = (
        min(numerator / denominator, 1.0) if denominator > 0 else 0.0
        for numerator, denominator in (measured(metric, counts, expired_is_failure) for metric in SHOWN_METRICS)
    )
    return max(0, counts.finished), complaint, failure, block, exposure


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
