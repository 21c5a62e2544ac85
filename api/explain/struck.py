"""Who is struck by an incident, and how much of their mail is left out because of it."""

from typing import Any, NamedTuple

import msgspec

from schemas.counts import finished_sql
from schemas.incident import EVERYWHERE, Incident
from schemas.times import HOUR_S
from streams.io.store import Store

#: What failed, by what recipients met; of one that is declared all that can fail.
_FAILED = """multiIf({outcome:String} = 'hard', sum(hard), {outcome:String} = 'block', sum(block),
        {outcome:String} = 'expired', sum(expired), {outcome:String} = 'complained', sum(complained),
        sum(hard) + sum(block) + sum(expired))"""
_STRUCK = f"""
    SELECT customer, toInt64({_FAILED}) AS failed, greatest(toInt64({finished_sql("sum({})")}), 0) AS total
    FROM counts
    WHERE dimension = 'provider' AND toStartOfHour(bucket) IN {{hours:Array(DateTime('UTC'))}}
        AND ({{place:String}} = '*' OR value = {{place:String}})
    GROUP BY customer
"""  # noqa: S608 - made of texts of this project only
#: With what all of them have together in each row, so that it is read once.
STRUCK = f"""
SELECT customer, failed, total, count() OVER (), countIf(failed > 0) OVER (), sum(failed) OVER (), sum(total) OVER ()
FROM ({_STRUCK}) WHERE total > 0
ORDER BY failed DESC, total DESC, customer LIMIT {{limit:UInt32}} OFFSET {{offset:UInt32}}
"""  # noqa: S608 - made of texts of this project only
#: Hours of one query.
MOST_HOURS = 1_000


class StruckMail(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with its recipients there and then: how many failed, of how many whose fate is known."""

    customer: str
    failed: int
    total: int


class StruckTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers sent there and then, of how many of them some mail failed, and recipients as above."""

    customers: int = 0
    with_failures: int = 0
    failed: int = 0
    total: int = 0


def hours_of(from_ms: int, until_ms: int) -> list[int]:
    """The hours (epoch s) that two times (epoch ms) lie in and that lie between them, the latest left out where it has
    only begun at that moment."""
    first, last = (ms // 1000 // HOUR_S * HOUR_S for ms in (from_ms, max(from_ms, until_ms - 1)))
    return list(range(first, last + 1, HOUR_S))[:MOST_HOURS]


class StruckPart(NamedTuple):
    """Some of the customers, who has most failures first, and what all have together."""

    customers: tuple[StruckMail, ...] = ()
    totals: StruckTotals = StruckTotals()


def struck(store: Store, place: str, outcome: str, hours: list[int], limit: int, offset: int = 0) -> StruckPart:
    """Who sent to a provider (`*` for all) in some hours (epoch s), and what failed of it.

    Raises:
        StoreError: the store failed.
    """
    asked: dict[str, Any] = {"place": place, "outcome": outcome, "hours": hours[:MOST_HOURS]}
    rows = store.rows(STRUCK, asked | {"limit": limit, "offset": offset})
    if not rows:
        return StruckPart()
    customers, failing, failed, total = map(int, rows[0][3:])
    return StruckPart(
        tuple(StruckMail(customer=str(row[0]), failed=int(row[1]), total=int(row[2])) for row in rows),
        StruckTotals(customers=customers, with_failures=failing, failed=failed, total=total),
    )


def is_of_mail(incident: Incident) -> bool:
    """Whether it is of mail to a provider or to all, so that who is struck can be counted."""
    return incident.dimension in ("provider", "all")


def place_of(incident: Incident) -> str:
    """The provider that it is at; `*` for all of them."""
    return EVERYWHERE if incident.dimension == "all" else incident.value
