"""Where a customer stands: the judged standing, the rates of the last 24 hours, and what is open against it."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import msgspec

from api.http.models.standing import (
    Headroom,
    ObservableShares,
    OpenAlert,
    ProviderReport,
    ScopeStanding,
    Scores,
    Standing,
    StandingLevel,
    Unobservable,
)
from api.http.ranges import end_of_minute, judged_since
from api.http.rates import Definition, rates_of
from jobs.poll.stored import read_reports
from schemas.alert import AlertEvent
from schemas.counts import SubjectCounts, WindowCounts, finished_sql
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.scope import CUSTOMER
from schemas.standing import Standing as JudgedStanding
from schemas.standing import stored_standing
from schemas.times import DAY_MS, DAY_S, utc_time
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.decisions.suspensions import WELL, Reinstatement, Suspension, account
from streams.io.store import Store
from streams.judge.allowance import RuleAllowance, allowances
from streams.judge.verdict import judge
from streams.subjects.scopes import scopes_of
from streams.subjects.stored_fresh_starts import read_since
from streams.subjects.totals import begin
from streams.windows.current import window_counts

STANDINGS = f"""
SELECT scope, {stored_standing("standings.standing")} AS standing,
    toUnixTimestamp64Milli(since) AS since, toUnixTimestamp64Milli(inactive_since) AS inactive_ms,
    reasons, policy_version,
    overall_score AS overall, complaints_score AS complaints, failures_score AS failures, blocks_score AS blocks,
    blacklisting_score AS blacklisting
FROM standings FINAL
WHERE customer = {{customer:String}}
"""  # noqa: S608 - made of texts of this project only
#: The last transition of each scope's and rule's last episode, where that did not resolve it. One that was repeated
#: with another level after a crash has two rows, of which the later says what was stored.
OPEN_ALERTS = """
SELECT event, toUnixTimestamp64Milli(opened) FROM
(
    SELECT scope, rule, episode, argMax(event, (transition, alerts.time)) AS event,
        argMax(kind, (transition, alerts.time)) AS kind, min(alerts.time) AS opened
    FROM alerts FINAL WHERE customer = {customer:String}
    GROUP BY scope, rule, episode
    ORDER BY episode DESC LIMIT 1 BY scope, rule
)
WHERE kind != 'resolved' AND JSONExtractString(event, 'data', 'level') != 'good' ORDER BY opened, rule
"""

SENT = f"""
SELECT stream, sum({finished_sql()}) FROM counts
WHERE dimension = 'ip' AND customer = {{customer:String}} AND bucket >= toDateTime({{since:UInt32}})
GROUP BY stream
"""  # noqa: S608 - made of names from this project only


#: What providers reported is shown of so many days.
REPORTED_DAYS = 14
NO_SCORES = Scores(overall=None, complaints=None, failures=None, blocks=None, blacklisting=None)


class StandingRow(msgspec.Struct, frozen=True):
    """A row of `standings`. Times are UTC."""

    scope: str
    standing: JudgedStanding
    since: datetime
    inactive_ms: int
    reasons: list[str]
    policy_version: str
    overall: int | None
    complaints: int | None
    failures: int | None
    blocks: int | None
    blacklisting: int | None

    @property
    def scores(self) -> Scores:
        """Its scores."""
        return Scores(**{name: getattr(self, name) for name in Scores.model_fields})


def standing(store: Store, customer: str, definition: Definition, policy: Policy, now_ms: int) -> Standing:
    """Where `customer` stands at `now_ms` (epoch ms). One without mail or verdict has the one scope `customer`.

    `policy` is the one in force, without what operators decided; that is asked for here.

    Raises:
        StoreError: the store failed.
    """
    found = store.records(STANDINGS, {"customer": customer})
    # The driver gives times without a zone, so they are read as epoch ms.
    rows = (msgspec.convert({**row, "since": utc_time(row["since"])}, StandingRow) for row in found)
    judged = {each.scope: each for each in rows}
    lengths = {"24h": DAY_MS} | {name: window_ms(name) for name in policy.windows}
    policy = for_plans(policy, plans(store, customer))
    policy = with_stored(policy, stored_overrides(store, now_ms, customer), now_ms)
    subjects = window_counts(store, [customer], lengths, definition.feedback_loop, now_ms, policy)
    anew = read_since(store, now_ms, begin(max(lengths.values()), now_ms), customer).get(customer)
    sent = _sent(store, customer, now_ms, anew)
    counts = {each.scope: msgspec.structs.replace(each.windows["24h"], sent=sent(each.scope)) for each in subjects}
    alerts = open_alerts(store, customer)
    state = account(store, customer, now_ms)
    left = {
        each.scope: allowances(each, policy, now_ms, {one.rule: one.level for one in alerts.get(each.scope, [])})
        for each in subjects
        if each.scope.partition(":")[0] in policy.scopes
    }
    hidden = {each.scope: _unobservable(each, policy, now_ms) for each in subjects if each.scope in left}
    # A scope that the policy judges no more keeps the row of its last judgement, which says nothing of today.
    judged = {
        scope: row for scope, row in judged.items() if scope.partition(":")[0] in policy.scopes or scope in alerts
    }
    scopes = sorted({CUSTOMER, *judged, *counts, *alerts}, key=lambda scope: (scope != CUSTOMER, scope))
    return Standing(
        customer=customer,
        time=utc_time(now_ms),
        scopes=[
            _scope(
                scope,
                judged.get(scope),
                counts.get(scope, WindowCounts()),
                definition,
                alerts.get(scope, []),
                state if scope == CUSTOMER else None,
                anew,
                left.get(scope, []),
                hidden.get(scope, []),
            )
            for scope in scopes
        ],
        reported=_reported(store, customer, now_ms),
    )


def _reported(store: Store, customer: str, now_ms: int) -> list[ProviderReport]:
    found = read_reports(store, utc_time(now_ms).date(), REPORTED_DAYS, customer=customer)
    return [ProviderReport.model_validate(msgspec.structs.asdict(each)) for each in found]


def _sent(store: Store, customer: str, now_ms: int, anew: int | None) -> Callable[[str], int]:
    """How much each scope sent in 24 h, after a fresh start (epoch s). `window_counts` leaves that out where no
    address was listed: a rule has nothing to judge then, but to the customer a rate of 0 says more than none.
    """
    since = max(judged_since(end_of_minute(now_ms), DAY_S), anew or 0)
    streams = {stream: int(sent) for stream, sent in store.rows(SENT, {"customer": customer, "since": since})}
    return lambda scope: sum(sent for stream, sent in streams.items() if scope in scopes_of(stream))


def _unobservable(subject: SubjectCounts, policy: Policy, now_ms: int) -> list[Unobservable]:
    return [
        Unobservable(
            rule=verdict.rule,
            metric=verdict.metric,
            window=verdict.observed.window,
            observable=verdict.observed.seen,
            mail=verdict.observed.mail,
        )
        for verdict in judge(subject, policy, now_ms).verdicts
        if verdict.unobservable and verdict.observed is not None
    ]


def _observable(counts: WindowCounts) -> ObservableShares:
    def share(seen: int, mail: int) -> float | None:
        return max(0.0, min(1.0, seen / mail)) if mail > 0 else None

    finished = counts.finished
    return ObservableShares(
        complaint=share(counts.fbl_delivered, counts.delivered),
        failure=share(finished, finished),
        block=share(finished, finished),
        exposure=share(counts.sent, finished),
    )


def shown_standing(store: Store, customer: str, now_ms: int) -> StandingLevel | None:
    """Where all mail of a customer stands; None if it was never judged.

    Raises:
        StoreError: the store failed.
    """
    found = [row for row in store.records(STANDINGS, {"customer": customer}) if row["scope"] == CUSTOMER]
    judged = msgspec.convert({**found[0], "since": utc_time(found[0]["since"])}, StandingRow) if found else None
    return _shown(judged, account(store, customer, now_ms))[0]


def _shown(
    judged: StandingRow | None, state: Suspension | Reinstatement | None
) -> tuple[StandingLevel | None, datetime | None, datetime | None]:
    """The standing as it is shown, since when, and since when there is no mail."""
    shown: StandingLevel | None = judged.standing if judged else None
    since = judged.since if judged else None
    if isinstance(state, Reinstatement):
        if shown is None or shown in WELL:
            shown, since = "reinstated", utc_time(state.since_ms)
    elif state is not None:
        shown, since = "suspended", utc_time(state.since_ms)
    inactive = utc_time(judged.inactive_ms) if judged and judged.inactive_ms else None
    if inactive is not None and shown in WELL:
        shown, since = "inactive", inactive
    return shown, since, inactive


def _scope(
    scope: str,
    judged: StandingRow | None,
    counts: WindowCounts,
    definition: Definition,
    alerts: list[OpenAlert],
    state: Suspension | Reinstatement | None,
    anew: int | None,
    left: list[RuleAllowance],
    unobservable: list[Unobservable],
) -> ScopeStanding:
    shown, since, inactive = _shown(judged, state)
    return ScopeStanding(
        scope=scope,
        standing=shown,
        judged=judged.standing if judged else None,
        fresh_start=None if anew is None else utc_time(anew * 1000),
        since=since,
        inactive_since=inactive,
        unobservable=unobservable,
        reasons=judged.reasons if judged else [],
        policy_version=judged.policy_version if judged else None,
        scores=judged.scores if judged else NO_SCORES,
        rates=rates_of(counts, definition),
        observable=_observable(counts),
        uncounted_complaints=counts.uncounted_complaints,
        open_alerts=alerts,
        allowances=[Headroom.model_validate(msgspec.to_builtins(each)) for each in left],
    )


def open_alerts(store: Store, customer: str) -> dict[str, list[OpenAlert]]:
    """The alerts that are not resolved, by scope.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[OpenAlert]] = defaultdict(list)
    for event, opened in store.rows(OPEN_ALERTS, {"customer": customer}):
        alert = msgspec.json.decode(event, type=AlertEvent)
        said = {"opened": utc_time(opened), "changed": alert.time, "held_since": None}
        if (held := alert.data.held) is not None:
            said["held_since"] = utc_time(held.since_ms)
        found[alert.data.scope].append(OpenAlert.model_validate({**msgspec.to_builtins(alert.data), **said}))
    return found
