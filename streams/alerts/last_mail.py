"""When mail was last sent, of those who are silent, and until when that is their rhythm: asked once of each, when it
becomes so, and once more when it should have ended."""

from collections.abc import Collection, Mapping, Sequence
from itertools import starmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.counts import finished_sql
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.scope import CUSTOMER
from schemas.times import FOREVER_S, MINUTE_S
from streams.io.store import Store, portions
from streams.judge.rhythm import ENOUGH, LEAST_PAUSE_S, LOOKED_S, MOST_S, Pause, usual_silence_s
from streams.judge.screen import finished
from streams.subjects.arrays import FIELD_INDEX, Counts, StreamKey
from streams.subjects.scopes import KINDS, scopes_sql
from streams.subjects.totals import begin

#: What is sent and not finished is mail too.
NOT_FINISHED = ("deferred", "suppressed", "rejected")
#: So far back (s) the pauses are that say whether a silence is usual; who sent last before that is looked for in all
#: that is kept.
LATELY_S = LOOKED_S + MOST_S

#: The last minute with mail, and of the pauses between the hours with mail those that may say what is usual: the
#: longest few. All hours and all pauses of 20,000 customers are hundreds of thousands of objects here.
LAST_MAIL = f"""
SELECT customer, scope, toUnixTimestamp(max(last)) AS until,
    arraySlice(arrayReverseSort(each -> each.2, arrayFilter(
        each -> each.2 >= {{pause:UInt32}} AND each.1 - each.2 >= until - {{looked:UInt32}},
        arrayZip(arraySort(groupUniqArray(toUnixTimestamp(hour))) AS hours, arrayDifference(hours))
    )), 1, {{enough:UInt8}})
FROM
(
    SELECT customer, stream, class, toStartOfHour(bucket) AS hour, max(bucket) AS last
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
        AND bucket < toDateTime({{until:UInt32}})
        AND (toInt64({finished_sql()}) > 0 OR {" OR ".join(f"{name} > 0" for name in NOT_FINISHED)})
    GROUP BY customer, stream, class, hour
)
ARRAY JOIN [SCOPES] AS scope
GROUP BY customer, scope
"""  # noqa: S608 - made of names from this project only


def last_mail_sql(kinds: Collection[str]) -> str:
    """The query for scopes of these kinds, and of customers: what it says of others nobody looks at."""
    return LAST_MAIL.replace("[SCOPES]", scopes_sql({CUSTOMER, *kinds}))


class LastMail(NamedTuple):
    """The minute (epoch ms) of a subject's last mail, and of the pauses before it the longest few."""

    last_ms: int
    pauses: tuple[Pause, ...] = ()

    def usual_until_ms(self, policy: Policy) -> int:
        """Until when (epoch ms) silence is as usual."""
        least_s = window_ms(policy.inactive_window) // 1000
        return self.last_ms + usual_silence_s(self.pauses, self.last_ms // 1000, least_s) * 1000

    def is_silent(self, policy: Policy, now_ms: int) -> bool:
        """Whether it is silent for longer than usual."""
        usual_ms = self.usual_until_ms(policy) - self.last_ms
        return self.last_ms < begin(usual_ms, now_ms) * 1000


def last_mail(
    store: Store, customers: Sequence[str], now_ms: int, until_s: int = FOREVER_S, kinds: Collection[str] = KINDS
) -> dict[StreamKey, LastMail]:
    """The last mail before `until_s` of customers (sorted) and of each part of their mail that is of one of these kinds
    of scope; that of customers is always said.

    Raises:
        StoreError: the store failed.
    """
    sql = last_mail_sql(kinds)
    asked = {"until": until_s, "pause": LEAST_PAUSE_S, "looked": LOOKED_S, "enough": ENOUGH}
    found = _read(store, sql, customers, asked | {"since": max(0, now_ms // 1000 - LATELY_S)})
    lately = {customer for customer, _ in found}
    return found | _read(store, sql, [each for each in customers if each not in lately], asked | {"since": 0})


def _read(store: Store, sql: str, customers: Sequence[str], asked: Mapping[str, int]) -> dict[StreamKey, LastMail]:
    return {
        (customer, scope): LastMail(int(last) * 1000, tuple(starmap(Pause, pauses)))
        for part in (portions(store, customers) if customers else ())
        for customer, scope, last, pauses in store.rows(sql, {"customers": part, **asked})
    }


def silent_since(store: Store, customer: str, policy: Policy, at_ms: int, *, past: bool) -> dict[str, int]:
    """Of the scopes of a customer that are silent at a moment (epoch ms) for longer than usual, and for the policy's
    `inactive_after` at least, the last mail (epoch ms); what came after the moment counts only where it is not `past`.

    Raises:
        StoreError: the store failed.
    """
    until = (at_ms // 1000 // MINUTE_S + 1) * MINUTE_S if past else FOREVER_S
    found = last_mail(store, [customer], at_ms, until)
    return {scope: last.last_ms for (_, scope), last in found.items() if last.is_silent(policy, at_ms)}


def silent_in(counts: Counts) -> NDArray[np.bool_]:
    """Who sent nothing, of counts of one window with the axes subject, field."""
    sent = finished(counts)
    for name in NOT_FINISHED:
        sent = np.maximum(sent, counts[:, FIELD_INDEX[name]])
    found: NDArray[np.bool_] = sent <= 0
    return found
