"""Who is suspended, by whom, since when and why (table `suspensions`)."""

import msgspec

from schemas.standing import stored_standing
from streams.io.store import Store

#: What `audit` calls it.
SUSPENDED, UNSUSPENDED = "customer suspended", "customer unsuspended"

#: Standings as people are shown them: who is suspended stands so, whatever is judged meanwhile (`judged`). All that is
#: judged of a customer is rewritten for another policy, so what is left by one before is of a scope that is judged
#: no more; unless it is not good, since an alert then still ends.
SHOWN_STANDINGS = f"""(
    SELECT
        standings.* EXCEPT (standing, since),
        suspended.customer != '' AND scope = 'customer' AS is_suspended,
        {stored_standing("standings.standing")} AS judged,
        if(is_suspended, 'suspended', judged) AS standing,
        if(is_suspended, suspended.since, standings.since) AS since
    FROM (
        SELECT * FROM standings FINAL
        WHERE {stored_standing("standing")} NOT IN ('good', 'insufficient_volume') OR (customer, policy_version) IN (
            SELECT customer, argMax(policy_version, updated) FROM standings FINAL GROUP BY customer)
    ) AS standings
    LEFT JOIN (SELECT customer, since FROM suspensions FINAL WHERE suspended) AS suspended
        ON suspended.customer = standings.customer
)"""  # noqa: S608 - made of texts of this project only

NOW = """
SELECT who, why, toUnixTimestamp64Milli(since) FROM suspensions FINAL
WHERE customer = {customer:String} AND suspended
"""

THEN = """
SELECT who, why, toUnixTimestamp64Milli(audit.time), action FROM audit
WHERE action IN {actions:Array(String)} AND customer = {customer:String}
    AND audit.time <= fromUnixTimestamp64Milli({at:Int64})
ORDER BY audit.time DESC LIMIT 1
"""


class Suspension(msgspec.Struct, frozen=True, kw_only=True):
    """Who suspended a customer, when (epoch ms, UTC) and why."""

    by: str
    why: str
    since_ms: int


def suspension(store: Store, customer: str) -> Suspension | None:
    """The suspension of a customer, if it is suspended.

    Raises:
        StoreError: the store failed.
    """
    for who, why, since_ms in store.rows(NOW, {"customer": customer}):
        return Suspension(by=str(who), why=str(why), since_ms=int(since_ms))
    return None


def suspension_at(store: Store, customer: str, at_ms: int) -> Suspension | None:
    """The suspension of a customer as it was at a moment (epoch ms), by what people decided.

    Raises:
        StoreError: the store failed.
    """
    asked = {"actions": [SUSPENDED, UNSUSPENDED], "customer": customer, "at": at_ms}
    for who, why, since_ms, action in store.rows(THEN, asked):
        if action == SUSPENDED:
            return Suspension(by=str(who), why=str(why), since_ms=int(since_ms))
    return None
