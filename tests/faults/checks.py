"""What must hold of alerts after any fault."""

from streams.alerts.lifecycle import alert_id
from tests.faults.deployment import Deployment
from tests.faults.letters import alerts, without_repeats

LEVELS = "SELECT customer, scope, rule, toUInt32(JSONExtractUInt(state, 'episode')), level FROM alert_states FINAL"


def levels(deployment: Deployment) -> dict[tuple[str, str, str, int], str]:
    """The level of each alert as the monitor remembers it, by customer, scope, rule and episode."""
    with deployment.opened() as store:
        return {
            (customer, scope, rule, int(episode)): level for customer, scope, rule, episode, level in store.rows(LEVELS)
        }


def unknown_levels(deployment: Deployment) -> list[str]:
    """Alerts of which a consumer that drops repeated ids knows another level than the monitor; empty: none.

    Of an alert that was resolved and opened again the monitor remembers the last episode only.
    """
    known = {each.data.alert_id: each.data.level for each in without_repeats(alerts(deployment.kafka))}
    return [
        f"alert {customer} {scope} {rule}, episode {episode}: a consumer knows of {known.get(id_, 'none')}, not {level}"
        for (customer, scope, rule, episode), level in sorted(levels(deployment).items())
        if known.get(id_ := alert_id(customer, scope, rule, episode)) != level
    ]
