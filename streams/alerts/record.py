"""The alerts and the states of their life, as they are stored and sent; and how customers were last shown.

A state is stored together with the alerts that follow from it, then these are sent and acknowledged, then they and the
state are stored as sent. An alert is never out without its state. A monitor that stops in between leaves both to the
next try, which sends the alerts again under the same ids; consumers drop the repetition.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from schemas.alert import ALERT_SOURCE, Acknowledgement, AlertEvent
from schemas.deployment import UNKNOWN, Deployment
from schemas.standing import stored_standing
from schemas.times import utc_time
from schemas.topics import REPUTATION_ALERTS
from streams.alerts.lifecycle import AlertState, SubjectRule
from streams.alerts.outcome import HoldDecision, LastShown
from streams.decisions.stored_overrides import ACKNOWLEDGED, HOLD_CONFIRMED, HOLD_DISMISSED, HOLD_RELEASED
from streams.io.store import Store, portions
from streams.subjects.arrays import StreamKey
from streams.subjects.fresh_starts import FreshStart, Since

STATES = """
SELECT customer, scope, rule, argMax(state, updated)
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
"""

#: The states with the alerts that may not have been sent, and in the same answer, without a rule, who acknowledged
#: which alert, or decided of which hold, last; and without the id of an alert, who gave which customer a fresh start
#: last.
LIVES = """
SELECT customer, scope, rule, argMax(state, updated), argMax(unsent, updated)
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
UNION ALL
SELECT customer, subject, '', toJSONString(argMax(map(
    'by', who, 'why', why, 'time_ms', toString(toUnixTimestamp64Milli(audit.time)), 'action', action), audit.time)),
    emptyArrayString()
FROM audit
WHERE action IN {actions:Array(String)} AND customer IN {customers:Array(String)}
    AND audit.time <= fromUnixTimestamp64Milli({at:Int64})
GROUP BY customer, subject
UNION ALL
SELECT customer, '', '', toJSONString(argMax(map('by', who, 'why', why,
    'since_s', toString(toUnixTimestamp(since)), 'decided_ms', toString(toUnixTimestamp64Milli(decided))), decided)),
    emptyArrayString()
FROM fresh_starts
WHERE decided <= fromUnixTimestamp64Milli({at:Int64})
GROUP BY customer
"""

#: What the table of standings says of customers.
STANDINGS = f"""
SELECT customer, scope, {stored_standing("argMax(standing, standings.updated)")},
    toUnixTimestamp64Milli(argMax(since, standings.updated)),
    toUnixTimestamp64Milli(max(standings.updated)), argMax(policy_version, standings.updated),
    argMax(volume, standings.updated), argMax(failure_rate, standings.updated), argMax(block_rate, standings.updated)
FROM standings
WHERE customer IN {{customers:Array(String)}}
GROUP BY customer, scope
"""  # noqa: S608 - made of texts of this project only

#: The columns of `alerts` that are fields of the alert's data.
ALERT_COLUMNS = (
    *("customer", "scope", "rule", "episode", "transition", "kind", "level", "previous_level", "window"),
    *("numerator", "denominator", "rate", "lower", "upper", "threshold", "policy_version"),
)

DECODE = msgspec.json.Decoder(AlertState).decode
EVENT = msgspec.json.Decoder(AlertEvent).decode


def read_states(store: Store, customers: Sequence[str]) -> dict[SubjectRule, AlertState]:
    """The states of all who ever had an alert, by customer, scope and rule.

    Raises:
        StoreError: the store failed.
    """
    return {
        (customer, scope, rule): DECODE(state)
        for part in portions(store, customers)
        for customer, scope, rule, state in store.rows(STATES, {"customers": part})
    }


class _Said(Acknowledgement, frozen=True, kw_only=True):
    """A row of `audit`."""

    action: str


class Lives(NamedTuple):
    """The states; by alert who acknowledged it last; by state the alerts that were decided and may not be sent; by
    customer the last fresh start; by customer and hold what was decided of it last."""

    states: dict[SubjectRule, AlertState]
    acknowledgements: dict[str, Acknowledgement]
    unsent: dict[SubjectRule, list[AlertEvent]]
    fresh_starts: dict[str, FreshStart]
    decisions: dict[tuple[str, str], HoldDecision]

    @property
    def since(self) -> Since:
        """Since when mail of customers counts, where it does not always."""
        return {customer: each.since_s for customer, each in self.fresh_starts.items()}

    @property
    def by_customer(self) -> dict[str, list[AlertState]]:
        """The states of each customer."""
        found: dict[str, list[AlertState]] = {}
        for state in self.states.values():
            found.setdefault(state.customer, []).append(state)
        return found


def read_lives(store: Store, customers: Sequence[str], at_ms: int) -> Lives:
    """All that is known of the alerts of customers at `at_ms` (epoch ms).

    Raises:
        StoreError: the store failed.
    """
    found = Lives({}, {}, {}, {}, {})
    asked = {"actions": [ACKNOWLEDGED, HOLD_CONFIRMED, HOLD_RELEASED, HOLD_DISMISSED], "at": at_ms}
    asked_for: set[str] = set()
    for part in portions(store, customers):
        for customer, name, rule, text, unsent in store.rows(LIVES, {"customers": part, **asked}):
            if rule:
                found.states[customer, name, rule] = DECODE(text)
                if unsent:
                    found.unsent[customer, name, rule] = [EVENT(each) for each in unsent]
            elif not name:
                # There are few, so all are given: names that are bound once more take longer.
                if customer not in (asked_for := asked_for or set(customers)):
                    continue
                found.fresh_starts[customer] = msgspec.json.decode(text, type=FreshStart, strict=False)
            else:
                said = msgspec.json.decode(text, type=_Said, strict=False)
                by = Acknowledgement(by=said.by, why=said.why, time_ms=said.time_ms)
                if said.action == ACKNOWLEDGED:
                    found.acknowledgements[name] = by
                else:
                    found.decisions[customer, name] = HoldDecision(
                        said.action != HOLD_RELEASED, by, said.action == HOLD_DISMISSED
                    )
    return found


def last_shown(store: Store, customers: Sequence[str]) -> dict[StreamKey, LastShown]:
    """How all subjects of customers were last shown.

    Raises:
        StoreError: the store failed.
    """
    return {
        (customer, scope): LastShown(
            str(standing),
            int(since),
            int(time_ms),
            str(version),
            int(volume),
            round(failures * volume),
            round(blocks * volume),
        )
        for part in portions(store, customers)
        for customer, scope, standing, since, time_ms, version, volume, failures, blocks in store.rows(
            STANDINGS, {"customers": part}
        )
    }


class AlertRecorder:
    """Stores and sends what was decided. `publish` is given topic, key and value; `flush` returns once all that was
    published is acknowledged."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[str, bytes, bytes], None],
        flush: Callable[[], None],
        deployment: Deployment = UNKNOWN,
    ) -> None:
        self._store = store
        self._publish = publish
        self._flush = flush
        self._source = deployment.source(ALERT_SOURCE)

    def record(
        self, changed: Sequence[AlertState], alerts: Sequence[AlertEvent], before: Lives, now_ms: int
    ) -> list[AlertEvent]:
        """Store what changed since `before`, and send the alerts, those first that an earlier try left unsent. Returns
        all that was sent.

        Raises:
            StoreError, BrokerError: nothing is lost; the next to judge sends what was not sent.
        """
        owed: dict[SubjectRule, list[AlertEvent]] = {key: list(events) for key, events in before.unsent.items()}
        for alert in alerts:
            said = msgspec.structs.replace(alert, source=self._source)
            owed.setdefault((alert.data.customer, alert.data.scope, alert.data.rule), []).append(said)
        # State and alerts are one row, so the next to judge knows both or neither. It is written a little earlier
        # than what follows at the same time, so that it is not mistaken for the newer.
        deciding = [state for state in changed if state.key in owed]
        earlier = utc_time(now_ms) - timedelta(microseconds=1)
        _store(self._store, deciding, [owed[state.key] for state in deciding], earlier)
        sent = [alert for events in owed.values() for alert in events]
        self._send(sent, now_ms)
        settled = {state.key for state in changed}
        states = [*changed, *(before.states[key] for key in before.unsent if key not in settled)]
        _store(self._store, states, [()] * len(states), utc_time(now_ms))
        return sent

    def _send(self, alerts: Sequence[AlertEvent], now_ms: int) -> None:
        for alert in alerts:
            self._publish(REPUTATION_ALERTS, alert.subject.encode(), msgspec.json.encode(alert))
        if alerts:
            self._flush()
            store_alerts(self._store, alerts, now_ms)


def _store(
    store: Store, states: Sequence[AlertState], unsent: Sequence[Sequence[AlertEvent]], updated: datetime
) -> None:
    if states:
        store.insert(
            "alert_states",
            {
                "customer": [state.customer for state in states],
                "scope": [state.scope for state in states],
                "rule": [state.rule for state in states],
                "updated": [updated] * len(states),
                "level": [state.level for state in states],
                "state": [msgspec.json.encode(state).decode() for state in states],
                "unsent": [[msgspec.json.encode(each).decode() for each in some] for some in unsent],
            },
        )


def store_alerts(store: Store, alerts: Sequence[AlertEvent], now_ms: int) -> None:
    """Write alerts that were sent.

    Raises:
        StoreError: the store failed.
    """
    if alerts:
        data = [alert.data for alert in alerts]
        store.insert(
            "alerts",
            {
                **{name: [getattr(each, name) for each in data] for name in ALERT_COLUMNS},
                "cause": [each.cause or "" for each in data],
                "time": [utc_time(now_ms)] * len(alerts),
                "id": [alert.id for alert in alerts],
                "event": [msgspec.json.encode(alert).decode() for alert in alerts],
            },
        )
