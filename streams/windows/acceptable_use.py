"""What an acceptable use policy asks in addition to rates: who the mail went to, and which domains it came from.

- Mail to people who had refused it more than 48 hours before (`streams.intake.refusals` records it).
- Mail to telephones: domains of SMS gateways.
- Mail from a domain that is not among the customer's registered ones, of customers that have registered any.
- From domains that the customer never used before.

Each is read only where a rule of the policy asks for it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from schemas.policy_metric import NEW_AFTER_S, Metric
from schemas.times import FOREVER_S
from streams.io.store import Store, portions
from streams.listings.exposure import SENT_MAIL
from streams.subjects import fresh_starts
from streams.subjects.arrays import FIELD_INDEX, StreamKey, Totals
from streams.subjects.fresh_starts import FRESH_SINCE, Since
from streams.subjects.left_out import HOUR_NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.totals import begin, bound, longest_first, sums

#: What these are divided by is without mail of incidents, so they are without those whole hours: else a sender would
#: seem worse in the hours of an outage.
UNWANTED = f"""
SELECT customer, stream,
    {{sums}}
FROM unwanted_mail
WHERE customer IN {{{{customers:Array(String)}}}} AND unwanted_mail.time >= toDateTime({{{{since_0:UInt32}}}})
    AND unwanted_mail.time < toDateTime({{{{until:UInt32}}}}) {{not_before}}
    AND {HOUR_NOT_LEFT_OUT.replace("bucket", "unwanted_mail.time")}
GROUP BY customer, stream
"""  # noqa: S608 - made of texts of this project only

GATEWAY = f"""
SELECT customer, stream,
    {{sums}}
FROM counts
WHERE dimension = 'provider' AND value = 'sms_gateway' AND customer IN {{{{customers:Array(String)}}}}
    AND bucket >= toDateTime({{{{since_0:UInt32}}}}) AND bucket < toDateTime({{{{until:UInt32}}}}) {{not_before}}
    AND {HOUR_NOT_LEFT_OUT}
GROUP BY customer, stream
"""  # noqa: S608 - made of texts of this project only

#: A domain below a registered one is registered.
UNREGISTERED = "NOT arrayExists(known -> value = known OR endsWith(value, concat('.', known)), domains)"
FROM_MAIL = """
SELECT customer, stream,
    {sums}
FROM counts
INNER JOIN
(
    SELECT customer, domains FROM customers FINAL
    WHERE customer IN {{customers:Array(String)}} AND NOT gone AND notEmpty(domains)
) AS registered USING customer
WHERE dimension = 'from' AND customer IN {{customers:Array(String)}}
    AND bucket >= toDateTime({{since_0:UInt32}}) AND bucket < toDateTime({{until:UInt32}}) {not_before}
GROUP BY customer, stream
"""

#: Each From domain with the stream that used it most, when it was first seen, how much it has sent since; and when the
#: customer was first seen with any.
FROM_DOMAINS = f"""
SELECT customer, stream, first, mail, min(first) OVER (PARTITION BY customer)
FROM
(
    SELECT customer, argMax(stream, part) AS stream, toUnixTimestamp(min(since)) AS first, toInt64(sum(part)) AS mail
    FROM
    (
        SELECT customer, stream, value, min(bucket) AS since, sum({SENT_MAIL}) AS part
        FROM counts
        WHERE dimension = 'from' AND customer IN {{customers:Array(String)}}
            AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
        GROUP BY customer, stream, value
    )
    GROUP BY customer, value
)
"""  # noqa: S608 - the names of measures


def add_acceptable_use(
    store: Store,
    totals: Totals,
    customers: Sequence[str],
    windows_ms: Sequence[int],
    metrics: Collection[Metric],
    least_new: int,
    now_ms: int,
    until_s: int = FOREVER_S,
    *,
    since: Since,
    left_out: KnownLeftOut = None,
) -> None:
    """Fill in what `metrics` ask for in the totals of customers (sorted). A new From domain counts once it has sent to
    `least_new` recipients. Mail from `until_s` (epoch s) on is left out, and so is that of before the fresh start of a
    customer (`since`); but a domain that was used before is not new. `left_out` is what incidents leave out,
    where that is known.

    Raises:
        StoreError: the store failed.
    """
    if not totals.keys:
        return
    windows = _Windows(store, totals, customers, windows_ms, now_ms, until_s, since, left_out)
    if "unwanted" in metrics:
        windows.fill(UNWANTED, {"unwanted": "count"}, _distinct)
    if "sms_gateway" in metrics:
        windows.fill(GATEWAY, {"gateway": SENT_MAIL}, _by_minute)
    if "unregistered_from" in metrics:
        both = {"from_known": SENT_MAIL, "from_unregistered": f"{SENT_MAIL} if {UNREGISTERED}"}
        windows.fill(FROM_MAIL, both, _by_minute)
    if "new_from_domain" in metrics:
        windows.fill_new_domains(least_new)


class _Windows:
    """The windows of some totals, and what is asked of the store for them."""

    def __init__(
        self,
        store: Store,
        totals: Totals,
        customers: Sequence[str],
        windows_ms: Sequence[int],
        now_ms: int,
        until_s: int,
        since: Since,
        left_out: KnownLeftOut,
    ) -> None:
        self._store = store
        self._totals = totals
        self._customers = customers
        self._until = until_s
        self._left_out = left_out
        self._anew = fresh_starts.among(since, customers) if since else {}
        self._order = longest_first(windows_ms)
        self._since = [begin(windows_ms[window], now_ms) for window in self._order]
        self._rows: dict[StreamKey, int] = {key: row for row, key in enumerate(totals.keys)}

    def fill(
        self, sql: str, fields: Mapping[str, str], summed: Callable[[tuple[tuple[str, str], ...], int], str]
    ) -> None:
        """Fill in `fields`, each by its expression, from a query with a row a stream."""
        wanted = tuple(fields.items())
        column = "unwanted_mail.time" if sql is UNWANTED else "bucket"
        not_before = f"AND {column} >= {FRESH_SINCE}" if self._anew else ""
        query = sql.format(sums=summed(wanted, len(self._order)), not_before=not_before)
        asked: dict[str, Any] = {f"since_{place}": second for place, second in enumerate(self._since)}
        asked |= {"until": self._until, **(fresh_starts.parameters(self._anew) if self._anew else {})}
        places = [FIELD_INDEX[name] for name in fields]
        for part in portions(self._store, self._customers):
            for block in self._store.blocks(*bound(query, {"customers": part, **asked}, self._left_out)):
                numbers = np.stack(block[2:], axis=1).astype(np.int64).reshape(-1, len(self._order), len(places))
                for customer, stream, found in zip(block[0], block[1], numbers, strict=True):
                    if (row := self._rows.get((customer, stream))) is not None:
                        # A late bounce takes back a delivery that may lie before the window.
                        self._totals.counts[row][np.ix_(self._order, places)] = np.maximum(found, 0)

    def fill_new_domains(self, least: int) -> None:
        """Count the domains whose first mail lies in a window, while the customer's own first mail lies before it."""
        since = max(0, self._since[0] - NEW_AFTER_S)
        place = FIELD_INDEX["new_from_domains"]
        for part in portions(self._store, self._customers):
            for customer, stream, first, mail, began in self._store.rows(
                FROM_DOMAINS, {"customers": part, "since": since, "until": self._until}
            ):
                row = self._rows.get((customer, stream))
                if row is None or mail < least:
                    continue
                anew = self._anew.get(customer, 0)
                for window, start in zip(self._order, self._since, strict=True):
                    self._totals.counts[row, window, place] += began < max(start, anew) <= first


@lru_cache(maxsize=32)
def _by_minute(fields: tuple[tuple[str, str], ...], windows: int) -> str:
    return sums(dict(fields), windows, "bucket")


@lru_cache(maxsize=32)
def _distinct(fields: tuple[tuple[str, str], ...], windows: int) -> str:
    """The same message counts once, though it was reported again."""
    ((name, _),) = fields
    return ",\n    ".join(
        f"uniqExactIf(id, unwanted_mail.time >= toDateTime({{since_{place}:UInt32}})) AS {name}_{place}"
        for place in range(windows)
    )
