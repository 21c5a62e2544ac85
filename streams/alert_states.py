"""The alerts and the states of their life, as they are stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from schemas.alert import AlertEvent
from streams.lifecycle import AlertState
from streams.portions import portions
from streams.store import Store

STATES = """
SELECT customer, scope, rule, argMax(state, updated)
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
"""

#: The columns of `alerts` that are fields of the alert's data.
ALERT_COLUMNS = (
    *("customer", "scope", "rule", "episode", "transition", "kind", "level", "previous_level", "window"),
    *("numerator", "denominator", "rate", "lower", "upper", "threshold", "policy_version"),
)

DECODE = msgspec.json.Decoder(AlertState).decode
SubjectRule = tuple[str, str, str]


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


def store_states(store: Store, states: Sequence[AlertState], now_ms: int) -> None:
    """Write states anew.

    Raises:
        StoreError: the store failed.
    """
    if states:
        store.insert(
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
                "time": [_time(now_ms)] * len(alerts),
                "id": [alert.id for alert in alerts],
                "event": [msgspec.json.encode(alert).decode() for alert in alerts],
            },
        )


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
