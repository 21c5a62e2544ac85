"""What of one customer's mail is left out of what it is judged by, and because of which incident."""

import msgspec

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE, Incident
from schemas.times import HOUR_S
from streams.incidents.stored import read_incidents
from streams.io.store import Store
from streams.subjects.left_out import IS_LEFT_OUT

LEFT_OUT_OF = f"""
SELECT value, toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(hard), sum(block), sum(expired), sum(complained),
    greatest(toInt64({finished_sql("sum({})")}), 0)
FROM counts
WHERE dimension = 'provider' AND customer = {{customer:String}} AND bucket >= toDateTime({{since:UInt32}})
    AND bucket < toDateTime({{until:UInt32}}) AND {IS_LEFT_OUT}
GROUP BY value, hour
ORDER BY hour, value
"""  # noqa: S608 - made of texts of this project only


class LeftOutMail(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients at one provider from `from_s` to `until_s` (epoch s) that an incident leaves out: how many of them
    failed (for complaints: complained), of how many whose fate is known."""

    incident: str
    provider: str
    outcome: str
    from_s: int
    until_s: int
    failed: int
    total: int


def left_out_of(store: Store, customer: str, since_s: int, until_s: int) -> tuple[LeftOutMail, ...]:
    """What is left out of a customer's mail from `since_s` on and before `until_s` (epoch s), oldest first.

    Raises:
        StoreError: the store failed.
    """
    asked = {"customer": customer, "since": max(0, since_s), "until": until_s}
    rows = store.rows(LEFT_OUT_OF, asked)
    if not rows:
        return ()
    incidents = [each for each in read_incidents(store, since_s - HOUR_S).in_force() if each.leaves_out]
    found: dict[tuple[str, str], LeftOutMail] = {}
    for provider, hour, hard, block, expired, complained, total in rows:
        cause = next((each for each in incidents if _covers(each, str(provider), int(hour))), None)
        if cause is None:
            continue  # it was dismissed between the two queries
        counts = {"hard": int(hard), "block": int(block), "expired": int(expired), "complained": int(complained)}
        failed = counts.get(cause.outcome, int(hard) + int(block) + int(expired))
        before = found.get((cause.id, provider))
        found[cause.id, provider] = LeftOutMail(
            incident=cause.id,
            provider=provider,
            outcome=cause.outcome,
            from_s=before.from_s if before else int(hour),
            until_s=int(hour) + HOUR_S,
            failed=failed + (before.failed if before else 0),
            total=int(total) + (before.total if before else 0),
        )
    return tuple(found.values())


def _covers(incident: Incident, provider: str, hour: int) -> bool:
    return incident.value in (provider, EVERYWHERE) and hour in incident.hours
