"""What an alert does not count of its window: mail of incidents, and mail from before a fresh start.

Asked only while some mail is left out, and of customers with a fresh start; outcomes of mail of an unknown time are
known with the verdict (`streams.alerts.describe`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas.alert import Evidence, Unjudged
from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE, Incident
from schemas.policy import Policy
from schemas.policy_metric import OF_POOLS, window_ms
from schemas.scope import PLAN
from schemas.times import HOUR_S
from streams.alerts.evidence import AT_ONCE, WITH_HISTORY, CountedMail, EvidenceReader, asked_of, places
from streams.alerts.evidence_queries import UNJUDGED, UNJUDGED_ANEW
from streams.alerts.lifecycle import SubjectRule
from streams.alerts.outcome import SubjectOutcome
from streams.incidents.stored import read_incidents
from streams.io.store import Store
from streams.judge.verdict import Verdict
from streams.subjects import fresh_starts
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT
from streams.subjects.totals import begin, may_leave_out
from streams.windows.pool_queries import DIMENSIONS

_FINISHED = finished_sql("toInt64(sum({}))")
#: Numerator and denominator of what is judged of pools and From domains.
SHARED_RATES: Mapping[str, tuple[str, str]] = {
    "complaint": ("sum(complained)", "sum(delivered)"),
    "failure": ("sum(hard) + sum(expired) * {expired:UInt8}", _FINISHED),
    "block": ("sum(block)", _FINISHED),
}
#: Of a pool or From domain it is not known which provider the mail of an hour went to, so the whole hour is left out.
SHARED_UNJUDGED = """
SELECT toUnixTimestamp(toStartOfHour(bucket)) AS hour, toInt64({summed_top}), greatest(toInt64({summed_bottom}), 0)
FROM counts
WHERE dimension = {{dimension:String}} AND value = {{name:String}} AND bucket >= toDateTime({{since:UInt32}})
    AND NOT ({judged})
GROUP BY hour
ORDER BY hour
"""

#: Whose, provider, hour (epoch s), whether it is from before a fresh start, numerator and denominator.
_Row = tuple[CountedMail, str, int, bool, int, int]


def with_unjudged(
    evidence: dict[SubjectRule, Evidence], reader: EvidenceReader, outcomes: Sequence[SubjectOutcome]
) -> dict[SubjectRule, Evidence]:
    """The evidence of alerts that changed, with what no rule judges of their windows.

    Raises:
        StoreError: the store failed.
    """
    mails = {key: each.mail for key, each in asked_of(outcomes, reader.policy).items() if each.metric in WITH_HISTORY}
    of_mail = _unjudged(reader, sorted(set(mails.values())))
    found = dict(evidence)
    for key, mail in mails.items():
        if left_out := of_mail.get(mail):
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
    top, bottom = SHARED_RATES[verdict.metric]
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


def _unjudged(reader: EvidenceReader, some: Sequence[CountedMail]) -> Mapping[CountedMail, list[Unjudged]]:
    """What is left out of some mail: what is of incidents first."""
    rows = list(_rows(reader, some))
    found: dict[CountedMail, list[Unjudged]] = defaultdict(list)
    if any(not is_before for _, _, _, is_before, _, _ in rows):
        first = min(begin(each.length_ms, reader.now_ms) for each in some)
        incidents = [each for each in read_incidents(reader.store, first - HOUR_S).in_force() if each.leaves_out]
        for mail, unjudged in _by_incident(rows, incidents):
            found[mail].append(unjudged)
    before: dict[CountedMail, tuple[int, int]] = {}
    for mail, _, _, is_before, top, bottom in rows:
        if is_before:
            counted = before.get(mail, (0, 0))
            before[mail] = counted[0] + top, counted[1] + bottom
    for mail, (count, volume) in before.items():
        found[mail].append(Unjudged(reason="fresh-start", count=count, volume=volume))
    return found


def _rows(reader: EvidenceReader, some: Sequence[CountedMail]) -> Iterator[_Row]:
    whole = reader._replace(since=fresh_starts.NOBODY)
    for start in range(0, len(some), AT_ONCE):
        part = some[start : start + AT_ONCE]
        asked = places(part, reader.now_ms)
        anew = fresh_starts.among(reader.since, asked["customers"])
        if anew:
            rows = whole.rows(UNJUDGED_ANEW, asked | fresh_starts.parameters(anew))
        else:
            rows = whole.rows(UNJUDGED, asked) if may_leave_out(reader.left_out) else ()
        for place, provider, hour, is_before, top, bottom in rows:
            yield part[int(place) - 1], str(provider), int(hour), bool(is_before), int(top), int(bottom)


def _by_incident(rows: Iterable[_Row], incidents: Sequence[Incident]) -> Iterable[tuple[CountedMail, Unjudged]]:
    """What each incident leaves out at each provider, with whose it is."""
    summed_up: dict[tuple[CountedMail, str, str], tuple[int, int]] = {}
    for mail, provider, hour, is_before, top, bottom in rows:
        cause = None if is_before else next((each.id for each in incidents if _covers(each, provider, hour)), None)
        if cause is not None:  # else it was dismissed between the two queries
            counted = summed_up.get((mail, provider, cause), (0, 0))
            summed_up[mail, provider, cause] = counted[0] + top, counted[1] + bottom
    for (mail, provider, cause), (count, volume) in summed_up.items():
        yield mail, Unjudged(reason="incident", count=count, volume=volume, provider=provider, incident=cause)


def _covers(incident: Incident, provider: str, hour: int) -> bool:
    return incident.value in (provider, EVERYWHERE) and hour in incident.hours
