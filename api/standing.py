"""Where a customer stands: the judged standing, the rates of the last 24 hours, and what is open against it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from api import models
from api.ranges import DAY
from api.rates import rates_of
from schemas.alert import AlertEvent, Level
from schemas.counts import WindowCounts
from streams.store import Store
from streams.windows import CUSTOMER, window_counts

STANDINGS = """
SELECT scope, standing, since, reasons, policy_version FROM standings FINAL
WHERE customer = {customer:String}
"""
#: The last transition of each scope's and rule's last episode, where that did not resolve it.
OPEN_ALERTS = """
SELECT event, opened FROM
(
    SELECT scope, rule, episode, argMax(event, transition) AS event, argMax(kind, transition) AS kind,
        min(time) AS opened
    FROM alerts FINAL WHERE customer = {customer:String}
    GROUP BY scope, rule, episode
    ORDER BY episode DESC LIMIT 1 BY scope, rule
)
WHERE kind != 'resolved' ORDER BY opened, rule
"""


class Judged(msgspec.Struct, frozen=True):
    """A row of `standings`. Times are UTC."""

    scope: str
    standing: Level
    since: datetime
    reasons: list[str]
    policy_version: str


def standing(store: Store, customer: str, feedback_loop: Sequence[str], now_ms: int) -> models.Standing:
    """Where `customer` stands at `now_ms` (epoch ms). One without mail or verdict has the one scope `customer`.

    Raises:
        StoreError: the store failed.
    """
    found = store.records(STANDINGS, {"customer": customer})
    judged = {each.scope: each for each in (msgspec.convert(row, Judged) for row in found)}
    subjects = window_counts(store, [customer], {"24h": DAY * 1000}, feedback_loop, now_ms)
    counts = {each.scope: each.windows["24h"] for each in subjects}
    alerts = _open_alerts(store, customer)
    scopes = sorted({CUSTOMER, *judged, *counts, *alerts}, key=lambda scope: (scope != CUSTOMER, scope))
    return models.Standing(
        customer=customer,
        time=datetime.fromtimestamp(now_ms / 1000, UTC),
        scopes=[
            _scope(scope, judged.get(scope), counts.get(scope, WindowCounts()), alerts.get(scope, []))
            for scope in scopes
        ],
    )


def _scope(
    scope: str, judged: Judged | None, counts: WindowCounts, alerts: list[models.OpenAlert]
) -> models.ScopeStanding:
    return models.ScopeStanding(
        scope=scope,
        standing=judged.standing if judged else None,
        since=judged.since if judged else None,
        reasons=judged.reasons if judged else [],
        policy_version=judged.policy_version if judged else None,
        rates=rates_of(counts),
        open_alerts=alerts,
    )


def _open_alerts(store: Store, customer: str) -> dict[str, list[models.OpenAlert]]:
    found: dict[str, list[models.OpenAlert]] = defaultdict(list)
    for event, opened in store.rows(OPEN_ALERTS, {"customer": customer}):
        alert = msgspec.json.decode(event, type=AlertEvent)
        found[alert.data.scope].append(
            models.OpenAlert.model_validate(
                {**msgspec.to_builtins(alert.data), "opened": opened, "changed": alert.time}
            )
        )
    return found
