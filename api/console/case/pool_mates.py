"""Who else sends through a customer's IP pools, and how they stand: is it one of them, or all of them?"""

import msgspec

from schemas.counts import finished_sql
from schemas.levels import LEVELS
from schemas.times import DAY_S, HOUR_S
from streams.decisions.suspensions import SHOWN_STANDINGS
from streams.io.store import Store

#: The pools that its mail of so many days went through, and who else sent through them in so many.
DAYS, MATES_DAYS = 7, 1
MOST_POOLS, MOST_MATES = 3, 12
_SINCE = "toStartOfHour(bucket) >= toDateTime({since:UInt32})"
POOLS = f"""
SELECT toString(value) AS pool, toInt64(sum({finished_sql()})) AS mail FROM counts
WHERE dimension = 'pool' AND customer = {{customer:String}} AND {_SINCE} AND value != ''
GROUP BY pool ORDER BY mail DESC, pool LIMIT {MOST_POOLS}
"""  # noqa: S608 - made of texts of this project only
#: First those who stand there for the same reason, then the worst.
MATES = f"""
SELECT customer, standing, toUnixTimestamp64Milli(since) AS since_ms, reasons, toInt64(volume) AS mail,
    complaint_rate, failure_rate, block_rate, hasAny(reasons, {{reasons:Array(String)}}) AS is_alike,
    count() OVER () AS total,
    countIf(judged IN {{accused:Array(String)}}) OVER () AS accused
FROM {SHOWN_STANDINGS}
WHERE scope = 'customer' AND customer NOT IN ({{customer:String}}, '') AND customer IN (
    SELECT customer FROM counts
    WHERE dimension = 'pool' AND value IN {{pools:Array(String)}} AND {_SINCE}
    GROUP BY customer)
ORDER BY is_alike AND judged IN {{accused:Array(String)}} DESC, indexOf({{levels:Array(String)}}, judged) DESC,
    mail DESC, customer
LIMIT {MOST_MATES}
"""  # noqa: S608 - made of texts of this project only


class PoolMate(msgspec.Struct, frozen=True, kw_only=True):
    """A customer on the same pool. `mail` are finished recipients of 24 h, rates are ratios over 24 h; `is_alike`: one
    of the same rules is why it stands so."""

    customer: str
    standing: str
    since_ms: int
    reasons: tuple[str, ...]
    mail: int
    complaint_rate: float
    failure_rate: float
    block_rate: float
    is_alike: bool


class PoolMates(msgspec.Struct, frozen=True, kw_only=True):
    """The pools of a customer, most mail first, and who else is on them: `total` customers, of whom `accused` stand at
    a level; those most like it first."""

    pools: tuple[str, ...]
    mates: tuple[PoolMate, ...] = ()
    total: int = 0
    accused: int = 0


def read_pool_mates(store: Store, customer: str, reasons: list[str], now_ms: int) -> PoolMates:
    """Who shares the customer's pools; `reasons` are the rules that it stands there for.

    Raises:
        StoreError: the store failed.
    """
    since, of_mates = ((now_ms // 1000 - days * DAY_S) // HOUR_S * HOUR_S for days in (DAYS, MATES_DAYS))
    pools = [str(pool) for pool, _ in store.rows(POOLS, {"customer": customer, "since": since})]
    if not pools:
        return PoolMates(pools=())
    levels = list(LEVELS)
    asked = {"customer": customer, "pools": pools, "since": of_mates, "reasons": reasons, "levels": levels}
    found = store.records(MATES, asked | {"accused": [each for each in levels if each != "good"]})
    return PoolMates(
        pools=tuple(pools),
        mates=tuple(msgspec.convert(each, PoolMate, strict=False) for each in found),
        total=int(found[0]["total"]) if found else 0,
        accused=int(found[0]["accused"]) if found else 0,
    )
