"""How the fleet fares at each mailbox provider: now, and as usual at this time of day."""

from collections.abc import Mapping
from typing import Any

import msgspec

from api.explain.us_or_them import FLOOR, FLOORS, KINDS, Kind, OutcomeCounts, ProviderNow, Told, told
from schemas.counts import FINISHED, finished_sql
from schemas.times import DAY_S, HOUR_S
from schemas.wording import masked
from streams.io.store import Store
from streams.subjects.left_out import NOT_LEFT_OUT

#: What is usual is read of so many days before.
USUAL_DAYS = 14
#: It is asked of a customer whether it is hit if it sent to so many recipients there, and at the rate of all so many of
#: them would have failed. It is where its own number is surely above the limit: by two standard deviations, and one.
ENOUGH_MAIL, ENOUGH_FAILED = 20, 5
#: Who is hit most, and what hosts answered most often, that are shown of one provider; events that are looked at.
MOST_HIT, MOST_ANSWERS, MOST_EVENTS = 25, 8, 20_000

_COUNTED = ", ".join(f"sum({name}) AS n_{name}" for name in (*FINISHED, "deferred"))
_FINISHED = f"toInt64({finished_sql('sum(n_{})')})"
#: Of all customers by provider and how many days ago, in the same hours of each day before. Mail of incidents is no
#: part of what is usual. The inner query has the shape of the hourly projection.
USUAL = f"""
SELECT value, intDiv({{until:UInt32}} - 1 - toUnixTimestamp(hour), {DAY_S}) AS back, {_FINISHED}, sum(n_delivered),
    sum(n_deferred), sum(n_block), sum(n_hard)
FROM
(
    SELECT toStartOfHour(bucket) AS hour, value, {_COUNTED}
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}} - {DAY_S})
        AND ({{until:UInt32}} - 1 - toUnixTimestamp(toStartOfHour(bucket))) % {DAY_S} < {{length:UInt32}}
        AND {NOT_LEFT_OUT}
    GROUP BY hour, value
)
GROUP BY value, back
"""  # noqa: S608 - made of texts of this project only
_CUSTOMERS = f"""
    SELECT customer, value, toInt64({finished_sql("sum({})")}) AS finished, sum(delivered) AS n_delivered,
        sum(deferred) AS n_deferred, sum(block) AS n_block, sum(hard) AS n_hard
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
        AND ({{provider:String}} = '' OR value = {{provider:String}})
    GROUP BY customer, value
"""  # noqa: S608 - made of texts of this project only
#: Numerator and denominator of a rate of one customer.
_OF: Mapping[Kind, tuple[str, str]] = {
    "deferred": ("n_deferred", "(finished + n_deferred)"),
    "block": ("n_block", "finished"),
    "hard": ("n_hard", "finished"),
}
_CAN_TELL: Mapping[Kind, str] = {
    kind: f"({of} >= {ENOUGH_MAIL} AND {of} * sum({n}) OVER (PARTITION BY value) >= {ENOUGH_FAILED} * "
    f"sum({of}) OVER (PARTITION BY value))"
    for kind, (n, of) in _OF.items()
}
_BEYOND: Mapping[Kind, str] = {
    kind: f"transform(value, {{names:Array(String)}}, {{{kind}:Array(Float64)}}, {FLOORS * FLOOR[kind]}) * {of}"
    for kind, (_, of) in _OF.items()
}
_EACH = ", ".join(
    f"{_CAN_TELL[kind]} AS can_{kind}, "
    f"can_{kind} AND {n} > {_BEYOND[kind]} + 2 * sqrt({_BEYOND[kind]}) + 1 AS hit_{kind}"
    for kind, (n, _) in _OF.items()
)
#: What became of all mail by provider, and how many customers sent it; of how many of them it can be told by kind
#: whether they are hit, and how many are.
NOW = f"""
SELECT value, sum(finished), sum(n_delivered), sum(n_deferred), sum(n_block), sum(n_hard), count(),
    {", ".join(f"countIf(can_{kind}), countIf(hit_{kind})" for kind in _OF)}
FROM (SELECT *, {_EACH} FROM ({_CUSTOMERS}))
GROUP BY value
"""  # noqa: S608 - made of texts of this project only
#: Who has most of what went wrong at one provider.
HIT_MOST = f"""
SELECT customer, finished, n_deferred, n_block, n_hard FROM ({_CUSTOMERS})
WHERE n_deferred + n_block + n_hard > 0
ORDER BY n_block + n_hard DESC, n_deferred DESC, customer LIMIT {MOST_HIT}
"""  # noqa: S608 - made of texts of this project only
#: What hosts of a provider answered lately to mail that failed, most often first.
ANSWERS = f"""
SELECT bounce_kind, diagnostic, count() AS times, uniqExact(customer)
FROM
(
    SELECT customer, if(type = 'expired' AND bounce_kind != 'block', 'expired', bounce_kind) AS bounce_kind, diagnostic
    FROM events
    WHERE events.time >= toDateTime({{since:UInt32}}) AND provider = {{provider:String}} AND diagnostic != ''
    ORDER BY events.time DESC LIMIT {MOST_EVENTS}
)
GROUP BY bounce_kind, diagnostic ORDER BY times DESC, diagnostic LIMIT 200
"""  # noqa: S608 - made of texts of this project only


class HitCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with what went wrong of its mail to one provider; all are recipients."""

    customer: str
    finished: int
    deferred: int
    block: int
    hard: int


class HostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider's hosts answered, with addresses masked: to mail that failed how, how often, of how many."""

    kind: str
    text: str
    times: int
    customers: int


class HourSpan(msgspec.Struct, frozen=True, kw_only=True):
    """The hours that are looked at (epoch s): from a full hour to the end of the one that runs at `now_s`."""

    since_s: int
    until_s: int
    now_s: int

    @classmethod
    def last(cls, hours: int, now_ms: int) -> "HourSpan":
        """The hour that runs, and so many full ones before it."""
        now_s = now_ms // 1000
        running = now_s // HOUR_S * HOUR_S
        return cls(since_s=running - hours * HOUR_S, until_s=running + HOUR_S, now_s=now_s)

    @property
    def elapsed(self) -> float:
        """The part of it that is over (a ratio)."""
        return (self.now_s - self.since_s) / (self.until_s - self.since_s)


#: By provider what all customers had on each day before, the latest first.
UsualDays = Mapping[str, tuple[OutcomeCounts, ...]]


def usual_by_provider(store: Store, span: HourSpan) -> UsualDays:
    """What became of the fleet's mail at each provider in the same hours of the days before. It is the same until the
    hour is over.

    Raises:
        StoreError: the store failed.
    """
    asked: dict[str, Any] = {
        "since": max(0, span.since_s - USUAL_DAYS * DAY_S),
        "until": span.until_s,
        "length": span.until_s - span.since_s,
    }
    days: dict[str, dict[int, OutcomeCounts]] = {}
    for provider, back, *numbers in store.rows(USUAL, asked):
        days.setdefault(str(provider), {})[int(back)] = OutcomeCounts(*map(int, numbers))
    return {name: tuple(each for _, each in sorted(by_day.items())) for name, by_day in days.items()}


def fleet_by_provider(store: Store, span: HourSpan, usual: UsualDays) -> list[Told]:
    """What became of the fleet's mail at each provider, with what it says: us, or them. What stands out first.

    Raises:
        StoreError: the store failed.
    """
    past = {
        name: ProviderNow(provider=name, now=OutcomeCounts(), days=days, elapsed=span.elapsed)
        for name, days in usual.items()
    }
    asked: dict[str, Any] = {"since": span.since_s, "until": span.until_s, "provider": "", "names": list(past)}
    asked |= {kind: [each.limit(kind) for each in past.values()] for kind in KINDS}
    found = dict(past)
    for provider, finished, delivered, deferred, block, hard, customers, *of_kinds in store.rows(NOW, asked):
        name = str(provider)
        found[name] = ProviderNow(
            provider=name,
            now=OutcomeCounts(*map(int, (finished, delivered, deferred, block, hard))),
            days=usual.get(name, ()),
            elapsed=span.elapsed,
            customers=int(customers),
            enough=dict(zip(KINDS, map(int, of_kinds[::2]), strict=True)),
            hit=dict(zip(KINDS, map(int, of_kinds[1::2]), strict=True)),
        )
    return told(list(found.values()))


def hit_most(store: Store, provider: str, span: HourSpan) -> list[HitCustomer]:
    """The customers with most refusals, bounces and deferrals there.

    Raises:
        StoreError: the store failed.
    """
    asked = {"since": span.since_s, "until": span.until_s, "provider": provider}
    return [
        HitCustomer(
            customer=str(customer), finished=int(finished), deferred=int(deferred), block=int(block), hard=int(hard)
        )
        for customer, finished, deferred, block, hard in store.rows(HIT_MOST, asked)
    ]


def typical_answers(store: Store, provider: str, span: HourSpan) -> list[HostAnswer]:
    """What its hosts answered most often; answers that differ by an address alone are one.

    Raises:
        StoreError: the store failed.
    """
    asked = {"since": span.since_s, "provider": provider}
    summed: dict[tuple[str, str], tuple[int, int]] = {}
    for kind, text, times, customers in store.rows(ANSWERS, asked):
        key = str(kind), masked(str(text))
        before = summed.get(key, (0, 0))
        summed[key] = before[0] + int(times), max(before[1], int(customers))
    ranked = sorted(summed.items(), key=lambda each: (-each[1][0], each[0]))[:MOST_ANSWERS]
    return [HostAnswer(kind=kind, text=text, times=times, customers=who) for (kind, text), (times, who) in ranked]
