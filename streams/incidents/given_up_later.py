"""Mail of an unknown time that is given up days after an incident, and may be of it.

When mail is put off for hours, one customer gives it up a day later, another one after five; where formats do not say
of which mail an expiry is, it counts in the hour in which it came. All of it comes within about as long a time as the
mail was put off. So of who alarms by such expiries, and whose other mail is good, nobody can tell whether they are of
hours of which others are known to have given up mail, where they came so close together within the days after these.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE, Incident
from schemas.times import DAY_S, HOUR_S
from streams.incidents.alone import FailedAt, Place
from streams.incidents.cells import Cells
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT

#: Mail is tried for five days (RFC 5321, section 4.5.4.1: "at least 4-5 days"), and its last try may be so much later
#: than that of other mail of the hour: by then some servers try again every 6 hours (Exim's `F,4d,6h`).
LONGEST_S, APART_S = 5 * DAY_S, 6 * HOUR_S
#: The share (a ratio) of all that failed that must have come so; what is left must be good.
PART = 1 / 3

UNDATED = f"""
SELECT customer, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour, sum(undated_expired),
    toInt64({finished_sql("sum({})")})
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value, hour
"""  # noqa: S608 - made of texts of this project only


class FailedMail(NamedTuple):
    """What of one customer's mail failed within the window that alarms, of how many whose fate is known; and how many
    expiries of an unknown time were among it, by where and when they came."""

    failed: int
    total: int
    undated: Mapping[Place, int]


def undated_expiries(store: Store, cells: Cells, failed: FailedAt) -> dict[str, FailedMail]:
    """Of customers of whose mail some `failed` those who have expiries of an unknown time among it.

    Raises:
        StoreError: the store failed.
    """
    if not failed:
        return {}
    totals: dict[str, int] = defaultdict(int)
    undated: dict[str, dict[Place, int]] = defaultdict(dict)
    since = {each: min(place.hour for place in places) for each, places in failed.items()}
    for part in portions(store, sorted(failed)):
        asked = {"customers": part, "since": min(since.values())}
        for name, provider, at, expired, finished in cells.rows(UNDATED, asked):
            customer, place = str(name), Place(str(provider), int(at))
            if place.hour >= since[customer]:
                totals[customer] += int(finished)
                if expired and place in failed[customer]:
                    undated[customer][place] = int(expired)
    return {who: FailedMail(sum(failed[who].values()), totals[who], came) for who, came in undated.items()}


def may_be_of(failed: FailedMail, bad: float, incidents: Iterable[Incident]) -> Incident | None:
    """The incident of which most of the expiries may be, if they are a good part of all that failed, and what is left
    is less than is `bad` (a ratio)."""
    each = [(_together(failed.undated, one), one.id, one) for one in incidents if _gave_up(one)]
    if not each:
        return None
    most, _, incident = max(each, key=lambda one: one[:2])
    left = failed.failed - most
    return incident if most >= max(1, PART * failed.failed) and left < bad * failed.total else None


def _gave_up(incident: Incident) -> bool:
    """Whether it is one of mail that was put off, as far as is known; who declares one does not say how mail fails."""
    if incident.dimension not in ("provider", "all") or incident.state == "dismissed":
        return False
    return incident.state == "declared" or incident.outcome == "expired"


def _together(came: Mapping[Place, int], incident: Incident) -> int:
    """The most that came within as long a time as the incident lasted and `APART_S`, in the days after it."""
    by_hour: dict[int, int] = defaultdict(int)
    for place, n in came.items():
        after = incident.from_s < place.hour < incident.until_s + LONGEST_S + APART_S
        if after and incident.value in (place.provider, EVERYWHERE):
            by_hour[place.hour] += n
    span = incident.until_s - incident.from_s + APART_S
    return max((sum(n for hour, n in by_hour.items() if 0 <= hour - first < span) for first in by_hour), default=0)
