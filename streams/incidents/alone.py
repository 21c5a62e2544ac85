"""Who fails at one mailbox provider only, where hardly anybody else was seen in that hour, waits a little: it may be
the provider, and the others come a moment later.

So it is in the first seconds after a start, when a log is read customer by customer, and in the night of a small fleet.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE
from schemas.scope import CUSTOMER
from schemas.times import DAY_S, HOUR_S, MINUTE_MS
from streams.io.store import Store, portions
from streams.subjects.alarm import Alarm
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.scopes import SCOPES
from streams.subjects.totals import bound

#: The share of a customer's failures at one provider (a ratio) from which on it is that alone.
AT_ONE = 0.7
#: So many others, each with so many recipients there in the hour, are enough to tell.
OTHERS, TELLING = 5, 20
#: It is looked again so often, in ms.
AGAIN_MS = 1_000
#: Who waited does not wait again so soon, in ms: a customer is judged again after its rest, however short the wait is.
KEPT_MS = 10 * MINUTE_MS
#: Failures so long ago (s) are looked at, as those for incidents are.
SINCE_S = 7 * DAY_S

FAILING = f"""
SELECT customer, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour,
    sum(hard) + sum(block) + sum(expired) + sum(complained) AS failed, sum(undated_expired) > 0
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
    AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}}) AND {NOT_LEFT_OUT}
GROUP BY customer, value, hour
HAVING failed > 0
"""  # noqa: S608 - made of texts of this project only
#: The same by scope, of those who alarm by a part of their mail.
FAILING_BY_SCOPE = FAILING.replace("FROM counts", f", arrayJoin({SCOPES}) AS scope FROM counts").replace(
    "GROUP BY", "GROUP BY scope,"
)

SENDERS = f"""
SELECT value, hour, count()
FROM
(
    SELECT customer, value, toUnixTimestamp(toStartOfHour(bucket)) AS hour,
        toInt64({finished_sql("sum({})")}) AS mail
    FROM counts
    WHERE dimension = 'provider' AND value IN {{values:Array(String)}}
        AND toStartOfHour(bucket) IN {{hours:Array(DateTime('UTC'))}}
    GROUP BY customer, value, hour
    HAVING mail >= {{telling:UInt32}}
)
GROUP BY value, hour
"""  # noqa: S608 - made of names from this project only


class Place(NamedTuple):
    """A mailbox provider and an hour (epoch s)."""

    provider: str
    hour: int


#: How many failed, by customer and place.
FailedAt = Mapping[str, Mapping[Place, int]]


class FailedOf(NamedTuple):
    """Of customers who alarm how many failed at which places, and who of them has expiries of an unknown time among
    it."""

    at: FailedAt
    undated: frozenset[str] = frozenset()

    def without(self, customers: Collection[str]) -> "FailedOf":
        """That of the others."""
        return FailedOf({each: self.at[each] for each in self.at if each not in customers}, self.undated)


NOTHING_FAILED = FailedOf({})


class Alone:
    """Knows who waits. One thread at a time."""

    def __init__(self, store: Store, wait_ms: int) -> None:
        """Nobody waits longer than `wait_ms`; 0: nobody waits."""
        self._store = store
        self._wait_ms = wait_ms
        self._since: dict[str, int] = {}

    def waiting(self, failed: FailedOf, now_ms: int) -> dict[str, int]:
        """Which of those who alarm by their mail, which `failed` there, wait, and until when (epoch ms). Who has
        expiries of an unknown time waits however many send there: those who gave up mail with it tell, not those.

        Raises:
            StoreError: the store failed.
        """
        wait_ms = self._wait_ms
        kept_ms = max(KEPT_MS, 2 * wait_ms)
        self._since = {each: since for each, since in self._since.items() if 0 <= now_ms - since < kept_ms}
        worst = {
            each: worst_place(failed.at[each])
            for each in sorted(failed.at)
            if now_ms - self._since.get(each, now_ms) < wait_ms
        }
        single = {
            each: place for each, place in worst.items() if place.provider != EVERYWHERE and each not in failed.undated
        }
        senders = self._senders(set(single.values()))
        alone = [
            each
            for each in worst
            if each in failed.undated or (each in single and senders.get(single[each], 0) <= OTHERS)
        ]
        return {each: min(now_ms + AGAIN_MS, self._since.setdefault(each, now_ms) + wait_ms) for each in alone}

    def _senders(self, places: Collection[Place]) -> dict[Place, int]:
        """How many customers sent there."""
        if not places:
            return {}
        asked = {
            "values": sorted({each.provider for each in places}),
            "hours": sorted({each.hour for each in places}),
            "telling": TELLING,
        }
        return {
            Place(str(provider), int(hour)): int(count) for provider, hour, count in self._store.rows(SENDERS, asked)
        }


def failed_at(store: Store, alarmed: Mapping[str, Alarm], now_ms: int, left_out: KnownLeftOut = None) -> FailedOf:
    """How much of the mail of those who alarm failed where and when, of what counts: of the scopes and in the window
    that each alarms by, and in the last days at most. Who had none is not in it. What is `left_out` is no part of it,
    as far as that is known.

    Raises:
        StoreError: the store failed.
    """
    failed: dict[str, dict[Place, int]] = defaultdict(dict)
    undated: set[str] = set()
    whole = sorted(each for each, alarm in alarmed.items() if CUSTOMER in alarm.scopes)
    for sql, some in ((FAILING, whole), (FAILING_BY_SCOPE, sorted(alarmed.keys() - set(whole)))):
        for part in portions(store, some):
            asked = {"customers": part, "since": max(0, now_ms // 1000 - SINCE_S)}
            for customer, provider, hour, count, is_undated, *scope in store.rows(*bound(sql, asked, left_out)):
                alarm, place = alarmed[str(customer)], Place(str(provider), int(hour))
                if (place.hour + HOUR_S) * 1000 > now_ms - alarm.length_ms and alarm.scopes.issuperset(scope):
                    of = failed[str(customer)]
                    # What two scopes share is counted once.
                    of[place] = max(int(count), of.get(place, 0))
                    undated |= {str(customer)} if is_undated else set()
    return FailedOf(failed, frozenset(undated))


def worst_hour(places: Mapping[Place, int]) -> int:
    """The hour (epoch s) in which most of a customer's mail failed, at all providers together."""
    by_hour: dict[int, int] = defaultdict(int)
    for place, count in places.items():
        by_hour[place.hour] += count
    return max(sorted(by_hour), key=by_hour.__getitem__)


def worst_place(places: Mapping[Place, int], *, of_hour: bool = False) -> Place:
    """Where and when most of a customer's mail failed: at one provider, or everywhere (`*`). With `of_hour` it is one
    provider if it is in that very hour; else of all failures."""
    worst = max(sorted(places), key=places.__getitem__)
    some = {place: count for place, count in places.items() if not of_hour or place.hour == worst.hour}
    there = sum(count for place, count in some.items() if place.provider == worst.provider)
    if there >= AT_ONE * sum(some.values()):
        return worst
    return Place(EVERYWHERE, worst_hour(places))
