"""Who is suspended, by whom, since when and why (table `suspensions`), and who was until lately.

Three states are told apart, as Amazon SES tells ENABLED, DISABLED and REINSTATED, "sending is allowed even with active
reputation findings" (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_StatusRecord.html): in good standing,
suspended, and reinstated. Reinstated is whose suspension was lifted in the last 30 days, the longest window of the
default policy, and who is judged well since; a level counts for more. And who sends nothing any more is inactive, in
the place of being good: nobody knows how it would send today.
"""

import msgspec

from schemas.standing import stored_standing
from schemas.times import DAY_MS
from streams.io.store import Store

#: What `audit` calls it.
SUSPENDED, UNSUSPENDED = "customer suspended", "customer unsuspended"

#: Standings in whose place it is shown that a customer is reinstated.
WELL = ("good", "insufficient_volume")
#: So long a customer is shown as reinstated.
REINSTATED_DAYS = 30

#: Standings as people are shown them: who is suspended stands so, whatever is judged meanwhile (`judged`), and whose
#: suspension was lifted is reinstated while it is judged well; else who is judged well and sends nothing is inactive.
#: All that is judged of a customer is rewritten for another policy, so what is left by one before is of a scope that is
#: judged no more; unless it is not good, since an alert then still ends.
SHOWN_STANDINGS = f"""(
    SELECT
        standings.* EXCEPT (standing, since),
        suspended.customer != '' AND scope = 'customer' AND suspended.suspended AS is_suspended,
        {stored_standing("standings.standing")} AS judged,
        suspended.customer != '' AND scope = 'customer' AND NOT suspended.suspended AND judged IN {WELL}
            AND suspended.since > standings.updated - INTERVAL {REINSTATED_DAYS} DAY AS is_reinstated,
        NOT is_suspended AND NOT is_reinstated AND judged IN {WELL} AND toUnixTimestamp64Milli(inactive_since) > 0
            AS is_inactive,
        multiIf(is_suspended, 'suspended', is_reinstated, 'reinstated', is_inactive, 'inactive', judged) AS standing,
        multiIf(is_suspended OR is_reinstated, suspended.since, is_inactive, inactive_since, standings.since) AS since
    FROM (
        SELECT * FROM standings FINAL
        WHERE {stored_standing("standing")} NOT IN {WELL} OR (customer, policy_version) IN (
            SELECT customer, argMax(policy_version, updated) FROM standings FINAL GROUP BY customer)
    ) AS standings
    LEFT JOIN (SELECT customer, suspended, since FROM suspensions FINAL) AS suspended
        ON suspended.customer = standings.customer
)"""  # noqa: S608 - made of texts of this project only

NOW = """
SELECT who, why, toUnixTimestamp64Milli(since), suspended FROM suspensions FINAL WHERE customer = {customer:String}
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


class Reinstatement(Suspension, frozen=True, kw_only=True):
    """Who lifted a customer's suspension, when (epoch ms, UTC) and why."""


def suspension(store: Store, customer: str) -> Suspension | None:
    """The suspension of a customer, if it is suspended.

    Raises:
        StoreError: the store failed.
    """
    found = account(store, customer, 0)
    return None if isinstance(found, Reinstatement) else found


def account(store: Store, customer: str, now_ms: int) -> Suspension | Reinstatement | None:
    """Whether a customer is suspended, or reinstated at `now_ms` (epoch ms); None: in good standing.

    Raises:
        StoreError: the store failed.
    """
    for who, why, since_ms, suspended in store.rows(NOW, {"customer": customer}):
        return _account(str(who), str(why), int(since_ms), now_ms, suspended=bool(suspended))
    return None


def account_at(store: Store, customer: str, at_ms: int) -> Suspension | Reinstatement | None:
    """The same as it was at a moment (epoch ms), by what people decided.

    Raises:
        StoreError: the store failed.
    """
    asked = {"actions": [SUSPENDED, UNSUSPENDED], "customer": customer, "at": at_ms}
    for who, why, since_ms, action in store.rows(THEN, asked):
        return _account(str(who), str(why), int(since_ms), at_ms, suspended=action == SUSPENDED)
    return None


def _account(who: str, why: str, since_ms: int, at_ms: int, *, suspended: bool) -> Suspension | Reinstatement | None:
    if suspended:
        return Suspension(by=who, why=why, since_ms=since_ms)
    if at_ms - since_ms >= REINSTATED_DAYS * DAY_MS:
        return None
    return Reinstatement(by=who, why=why, since_ms=since_ms)
