"""Open alerts of rules that the policy in force does not have: nobody judges them any more, so they are resolved."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.alert import ALERT_TYPE, AlertEvent, Evidence
from schemas.policy import Policy
from schemas.wording import rfc3339
from streams.alerts.lifecycle import AlertState, SubjectRule, Transition, ended
from streams.io.store import Store, portions

LAST = """
SELECT customer, scope, rule, argMax(event, (episode, transition, alerts.time))
FROM alerts
WHERE customer IN {customers:Array(String)} AND rule IN {rules:Array(String)}
GROUP BY customer, scope, rule
"""


class Ended(NamedTuple):
    """What is to be sent and stored."""

    alerts: list[AlertEvent]
    states: list[AlertState]


def end_alerts(store: Store, states: Sequence[AlertState], policy: Policy, now_ms: int) -> Ended:
    """Resolve open alerts of rules that the policy does not have, at `now_ms` (epoch ms).

    The numbers of such an event are those of the transition before it. Where that is no longer stored, only the state
    is brought to its end.

    Raises:
        StoreError: the store failed.
    """
    customers, rules = ({each.customer for each in states}, {each.rule for each in states})
    last = _last_events(store, sorted(customers), sorted(rules))
    found = Ended([], [])
    for state in states:
        after, transition = ended(state, now_ms)
        found.states.append(after)
        if state.key in last:
            found.alerts.append(_event(last[state.key], transition, policy))
    return found


def _last_events(store: Store, customers: Sequence[str], rules: Sequence[str]) -> dict[SubjectRule, AlertEvent]:
    return {
        (customer, scope, rule): msgspec.json.decode(event, type=AlertEvent)
        for part in portions(store, customers)
        for customer, scope, rule, event in store.rows(LAST, {"customers": part, "rules": list(rules)})
    }


def _event(last: AlertEvent, transition: Transition, policy: Policy) -> AlertEvent:
    data = msgspec.structs.replace(
        last.data,
        kind=transition.kind,
        level=transition.level,
        previous_level=transition.previous_level,
        transition=transition.transition,
        policy_version=policy.version,
        explanation=f"The policy has no rule {transition.rule} any more.",
        evidence=Evidence(),
        cause=transition.cause,
        acknowledged=None,
        override=transition.override,
        held=transition.held,
        decided=transition.decided,
    )
    return AlertEvent(
        id=transition.id,
        type=ALERT_TYPE.format(kind=transition.kind),
        subject=last.subject,
        time=rfc3339(transition.time_ms),
        data=data,
    )
