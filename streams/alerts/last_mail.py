"""When mail was last sent, of those who are silent: asked once of each, when it becomes so."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.counts import finished_sql
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.times import DAY_S, FOREVER_S, MINUTE_S
from streams.io.store import Store, portions
from streams.judge.screen import finished
from streams.subjects.arrays import FIELD_INDEX, Counts, StreamKey
from streams.subjects.scopes import SCOPES
from streams.subjects.totals import begin

#: What is sent and not finished is mail too.
NOT_FINISHED = ("deferred", "suppressed", "rejected")
#: Most lie within so many days; the others are looked for in all that is kept.
LATELY_S = 45 * DAY_S

LAST_MAIL = f"""
SELECT customer, arrayJoin({SCOPES}) AS scope, toUnixTimestamp(max(bucket))
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
    AND bucket < toDateTime({{until:UInt32}})
    AND (toInt64({finished_sql()}) > 0 OR {" OR ".join(f"{name} > 0" for name in NOT_FINISHED)})
GROUP BY customer, scope
"""  # noqa: S608 - made of names from this project only


def last_mail(store: Store, customers: Sequence[str], now_ms: int, until_s: int = FOREVER_S) -> dict[StreamKey, int]:
    """The minute (epoch ms) of the last mail before `until_s` of customers (sorted) and of each part of their mail.

    Raises:
        StoreError: the store failed.
    """
    found = _read(store, customers, max(0, now_ms // 1000 - LATELY_S), until_s)
    lately = {customer for customer, _ in found}
    return found | _read(store, [each for each in customers if each not in lately], 0, until_s)


def _read(store: Store, customers: Sequence[str], since: int, until: int) -> dict[StreamKey, int]:
    return {
        (customer, scope): int(second) * 1000
        for part in (portions(store, customers) if customers else ())
        for customer, scope, second in store.rows(LAST_MAIL, {"customers": part, "since": since, "until": until})
    }


def silent_since(store: Store, customer: str, policy: Policy, at_ms: int, *, past: bool) -> dict[str, int]:
    """Of the scopes of a customer without mail for the policy's `inactive_after` at a moment (epoch ms) the last mail
    (epoch ms); what came after the moment counts only where it is not `past`.

    Raises:
        StoreError: the store failed.
    """
    until = (at_ms // 1000 // MINUTE_S + 1) * MINUTE_S if past else FOREVER_S
    begin_ms = begin(window_ms(policy.inactive_window), at_ms) * 1000
    found = last_mail(store, [customer], at_ms, until)
    return {scope: last_ms for (_, scope), last_ms in found.items() if last_ms < begin_ms}


def silent_in(counts: Counts) -> NDArray[np.bool_]:
    """Who sent nothing, of counts of one window with the axes subject, field."""
    sent = finished(counts)
    for name in NOT_FINISHED:
        sent = np.maximum(sent, counts[:, FIELD_INDEX[name]])
    found: NDArray[np.bool_] = sent <= 0
    return found
