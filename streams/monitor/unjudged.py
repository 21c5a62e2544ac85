"""What an alert does not count of its window: mail of incidents, and mail from before a fresh start.

Asked only while some mail is left out, and of customers with a fresh start; outcomes of mail of an unknown time are
known with the verdict (`streams.alerts.describe`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.alert import Evidence, Unjudged
from schemas.incident import EVERYWHERE, Incident
from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, window_ms
from schemas.scope import PLAN
from schemas.times import HOUR_S
from streams.alerts.evidence import WITH_HISTORY, summed
from streams.alerts.evidence_queries import UNJUDGED
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import SubjectOutcome
from streams.incidents.stored import read_incidents
from streams.io.store import Store
from streams.judge.verdict import Verdict
from streams.subjects import fresh_starts
from streams.subjects.fresh_starts import FRESH_SINCE, Since
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, IS_LEFT_OUT, NOT_LEFT_OUT
from streams.subjects.scopes import SCOPES
from streams.subjects.totals import begin
from streams.windows.pool_queries import DIMENSIONS

BEFORE_FRESH_START = f"bucket < {FRESH_SINCE} AND {NOT_LEFT_OUT}"

#: Of a pool or From domain it is not known which provider the mail of an hour went to, so the whole hour is left out.
SHARED_UNJUDGED = """
SELECT toUnixTimestamp(toStartOfHour(bucket)) AS hour, toInt64({summed_top}), greatest(toInt64({summed_bottom}), 0)
FROM counts
WHERE dimension = {{dimension:String}} AND value = {{name:String}} AND bucket >= toDateTime({{since:UInt32}})
    AND NOT ({judged})
GROUP BY hour
ORDER BY hour
"""

#: Customer, scope, provider, hour (epoch s), numerator and denominator.
_Row = tuple[str, str, str, int, int, int]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is alike of several alerts."""

    metric: str
    window: str
    mail_to: tuple[str, ...]


def with_unjudged(
    evidence: dict[SubjectRule, Evidence],
    store: Store,
    outcomes: Sequence[SubjectOutcome],
    policy: Policy,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    since: Since,
) -> dict[SubjectRule, Evidence]:
    """The evidence of alerts that changed, with what no rule judges of their windows. `since` are fresh starts.

    Raises:
        StoreError: the store failed.
    """
    mail_to = {rule.name: rule.mail_to for rule in policy.rules}
    alike: dict[_Asked, list[SubjectRule]] = defaultdict(list)
    for outcome in outcomes:
        for _, verdict in outcome.transitions:
            if verdict.metric in WITH_HISTORY:
                asked = _Asked(WITH_HISTORY[verdict.metric], verdict.window, mail_to[verdict.rule])
                alike[asked].append((*outcome.key, verdict.rule))
    found = dict(evidence)
    for asked, keys in alike.items():
        of_subject = _of_alike(store, asked, keys, policy, feedback_loop_providers, now_ms, since)
        for key in keys:
            if left_out := of_subject.get(key[:2]):
                found[key] = msgspec.structs.replace(found[key], left_out=tuple(left_out))
    return found


def shared_with_unjudged(
    evidence: dict[SubjectRule, Evidence],
    store: Store,
    outcomes: Sequence[SubjectOutcome],
    policy: Policy,
    now_ms: int,
) -> dict[SubjectRule, Evidence]:
    """The same of pools and From domains: all of their mail in hours of incidents.

    Raises:
        StoreError: the store failed.
    """
    found = dict(evidence)
    for outcome in outcomes:
        kind, _, name = outcome.subject.scope.partition(":")
        for _, verdict in outcome.transitions:
            if verdict.metric in OF_POOLS or kind == PLAN:
                continue
            key = *outcome.key, verdict.rule
            left_out = _of_shared(store, DIMENSIONS[kind], name, verdict, policy, now_ms)
            found[key] = msgspec.structs.replace(found[key], left_out=left_out)
    return found


def _of_shared(
    store: Store, dimension: str, name: str, verdict: Verdict, policy: Policy, now_ms: int
) -> tuple[Unjudged, ...]:
    first = begin(window_ms(verdict.window), now_ms)
    top, bottom = summed(verdict.metric)
    sql = SHARED_UNJUDGED.format(summed_top=top, summed_bottom=bottom, judged=HOUR_NOT_LEFT_OUT)
    asked = {"dimension": dimension, "name": name, "since": first, "expired": int(policy.expired_is_failure)}
    found = read_incidents(store, first - HOUR_S).in_force()
    incidents = [each for each in found if each.leaves_out and each.dimension in ("provider", "all")]
    summed_up: dict[str, tuple[int, int]] = {}
    for hour, count, volume in store.rows(sql, asked):
        cause = next((each.id for each in incidents if int(hour) in each.hours), None)
        if cause is not None:  # else it was dismissed between the two queries
            counted = summed_up.get(cause, (0, 0))
            summed_up[cause] = counted[0] + int(count), counted[1] + int(volume)
    return tuple(
        Unjudged(reason="incident", count=count, volume=volume, incident=cause)
        for cause, (count, volume) in summed_up.items()
    )


def _of_alike(
    store: Store,
    asked: _Asked,
    keys: Iterable[SubjectRule],
    policy: Policy,
    feedback_loop_providers: Sequence[str],
    now_ms: int,
    since: Since,
) -> Mapping[tuple[str, str], list[Unjudged]]:
    """What is left out of the mail of subjects whose windows are alike, by customer and scope."""
    first = begin(window_ms(asked.window), now_ms)
    subjects = sorted({key[:2] for key in keys})
    given: dict[str, Any] = {
        "customers": [customer for customer, _ in subjects],
        "scopes": [scope for _, scope in subjects],
        "since": first,
        "fbl": list(feedback_loop_providers),
        "mail_to": list(asked.mail_to),
        "expired": int(policy.expired_is_failure),
    }
    found: dict[tuple[str, str], list[Unjudged]] = defaultdict(list)
    sql = _sql(asked.metric, IS_LEFT_OUT)
    rows = store.rows(*(fresh_starts.cut_off(sql, given, since) if since else (sql, given)))
    if rows:
        incidents = [each for each in read_incidents(store, first - HOUR_S).in_force() if each.leaves_out]
        for whose, unjudged in _by_incident(rows, incidents):
            found[whose].append(unjudged)
    anew = fresh_starts.after(fresh_starts.among(since, given["customers"]), first)
    if anew:
        before: dict[tuple[str, str], tuple[int, int]] = {}
        sql = _sql(asked.metric, BEFORE_FRESH_START)
        for customer, scope, _, _, top, bottom in store.rows(sql, given | fresh_starts.parameters(anew)):
            counted = before.get((customer, scope), (0, 0))
            before[customer, scope] = counted[0] + int(top), counted[1] + int(bottom)
        for whose, (count, volume) in before.items():
            found[whose].append(Unjudged(reason="fresh-start", count=count, volume=volume))
    return found


def _by_incident(
    rows: Iterable[Sequence[Any]], incidents: Sequence[Incident]
) -> Iterable[tuple[tuple[str, str], Unjudged]]:
    """What each incident leaves out at each provider, with whose it is."""
    summed_up: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for customer, scope, provider, hour, top, bottom in rows:
        cause = next((each.id for each in incidents if _covers(each, str(provider), int(hour))), None)
        if cause is not None:  # else it was dismissed between the two queries
            key = str(customer), str(scope), str(provider), cause
            counted = summed_up.get(key, (0, 0))
            summed_up[key] = counted[0] + int(top), counted[1] + int(bottom)
    for (customer, scope, provider, cause), (count, volume) in summed_up.items():
        yield (
            (customer, scope),
            Unjudged(reason="incident", count=count, volume=volume, provider=provider, incident=cause),
        )


def _covers(incident: Incident, provider: str, hour: int) -> bool:
    return incident.value in (provider, EVERYWHERE) and hour in incident.hours


def _sql(metric: str, unjudged: str) -> str:
    top, bottom = summed(metric)
    return UNJUDGED.format(
        scopes=SCOPES,
        summed_top=top,
        summed_bottom=bottom,
        whose="value IN {fbl:Array(String)}" if metric == "complaint" else "1",
        unjudged=unjudged,
    )
