"""The alerts and the states of their life, as they are stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from schemas.alert import Acknowledgement, AlertEvent
from streams.lifecycle import AlertState
from streams.portions import portions
from streams.store import Store
from streams.stored_overrides import ACKNOWLEDGED

STATES = """
SELECT customer, scope, rule, argMax(state, updated)
FROM alert_states
WHERE customer IN {customers:Array(String)}
GROUP BY customer, scope, rule
"""

#: The states, and in the same answer, without a rule, who acknowledged which alert last.
LIVES = f"""{STATES}
UNION ALL
SELECT customer, subject, '', toJSONString(argMax(map(
    'by', who, 'why', why, 'time_ms', toString(toUnixTimestamp64Milli(audit.time))), audit.time))
FROM audit
WHERE action = {{acknowledged:String}} AND customer IN {{customers:Array(String)}}
    AND audit.time <= fromUnixTimestamp64Milli({{at:Int64}})
GROUP BY customer, subject
"""  # noqa: S608 - made of texts of this module only

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


def read_lives(
    store: Store, customers: Sequence[str], at_ms: int
) -> tuple[dict[SubjectRule, AlertState], dict[str, Acknowledgement]]:
    """The states, and by alert who took note of it last until `at_ms` (epoch ms).

    Raises:
        StoreError: the store failed.
    """
    states: dict[SubjectRule, AlertState] = {}
    noted: dict[str, Acknowledgement] = {}
    asked = {"acknowledged": ACKNOWLEDGED, "at": at_ms}
    for part in portions(store, customers):
        for customer, name, rule, text in store.rows(LIVES, {"customers": part, **asked}):
            if rule:
                states[customer, name, rule] = DECODE(text)
            else:
                noted[name] = msgspec.json.decode(text, type=Acknowledgement, strict=False)
    return states, noted


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
