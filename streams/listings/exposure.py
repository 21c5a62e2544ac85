"""Mail that went through listed addresses."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from schemas.counts import finished_sql
from schemas.listing import Weight
from schemas.times import FOREVER_S, MINUTE_MS, MINUTE_S
from streams.io.store import Store, portions
from streams.listings.intervals import ListingInterval
from streams.subjects import fresh_starts
from streams.subjects.arrays import FIELD_INDEX, Totals
from streams.subjects.fresh_starts import NOT_BEFORE, Since
from streams.subjects.totals import begin, longest_first, sums

#: Listings that make mail count as exposed. Informational lists say nothing about abuse.
EXPOSING: tuple[Weight, ...] = ("critical", "major", "minor")

#: Mail that left.
SENT_MAIL = finished_sql()
THROUGH_LISTED = """value IN {ips:Array(String)} AND arrayExists(
    (ip, begins, ends) -> ip = value AND bucket >= toDateTime(begins) AND bucket < toDateTime(ends),
    {ips:Array(String)}, {begins:Array(UInt32)}, {ends:Array(UInt32)})"""

#: Who used a listed address at all; mostly nobody did, and then nothing more is read.
EXPOSED = """
SELECT DISTINCT customer
FROM counts
WHERE dimension = 'ip' AND customer IN {customers:Array(String)} AND value IN {ips:Array(String)}
    AND bucket >= toDateTime({since_0:UInt32}) AND bucket < toDateTime({until:UInt32})
"""

EXPOSURE = """
SELECT customer, stream,
    {sums}
FROM counts
WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since_0:UInt32}})
    AND bucket < toDateTime({{until:UInt32}}) {not_before}
GROUP BY customer, stream
"""


def add_exposure(
    store: Store,
    totals: Totals,
    customers: Sequence[str],
    windows_ms: Sequence[int],
    listings: Sequence[ListingInterval],
    now_ms: int,
    *,
    places: Sequence[int] | None = None,
    until_s: int = FOREVER_S,
    since: Since,
) -> None:
    """Fill in `sent` and `exposed` of the totals of customers (sorted), of whom used a listed address.

    Others keep zeros in both: there is no exposure to judge. `places` are those of the windows among the totals', by
    default they are all of them. What lies at or behind `until_s` (epoch s) is left out, and so is what lies before the
    fresh start of a customer (`since`).

    Raises:
        StoreError: the store failed.
    """
    by_length = longest_first(windows_ms)
    order = by_length if places is None else [places[window] for window in by_length]
    begins = [begin(windows_ms[window], now_ms) for window in by_length]
    listed = [each for each in exposing(listings) if each.to_ms is None or each.to_ms > begins[0] * 1000]
    if not listed or not totals.keys:
        return
    asked = {
        **listed_parameters(listed),
        "until": until_s,
        **{f"since_{place}": second for place, second in enumerate(begins)},
    }
    exposed = sorted(
        str(customer)
        for part in portions(store, customers)
        for (customer,) in store.rows(EXPOSED, {"customers": part, **asked})
    )
    rows = {key: row for row, key in enumerate(totals.keys)}
    fields = [FIELD_INDEX["sent"], FIELD_INDEX["exposed"]]
    anew = fresh_starts.among(since, exposed) if since else {}
    if anew:
        asked |= fresh_starts.parameters(anew)
    for part in portions(store, exposed):
        for block in store.blocks(_sql(len(order), anew=bool(anew)), {"customers": part, **asked}):
            numbers = np.stack(block[2:], axis=1).astype(np.int64).reshape(-1, len(order), len(fields))
            for customer, stream, found in zip(block[0], block[1], numbers, strict=True):
                row = rows.get((customer, stream))
                if row is not None:
                    totals.counts[row][np.ix_(order, fields)] = found


def listed_parameters(listings: Iterable[ListingInterval]) -> dict[str, Any]:
    """What is bound to `THROUGH_LISTED`. A minute counts as exposed from the one in which the listing was first
    seen."""
    some = list(listings)
    return {
        "ips": [each.resource for each in some],
        "begins": [each.from_ms // MINUTE_MS * MINUTE_S for each in some],
        "ends": [FOREVER_S if each.to_ms is None else each.to_ms // 1000 for each in some],
    }


def exposing(listings: Iterable[ListingInterval]) -> list[ListingInterval]:
    """Those of addresses, on lists that say something about abuse."""
    return [each for each in listings if each.kind == "ip" and each.weight in EXPOSING]


@lru_cache(maxsize=32)
def _sql(windows: int, *, anew: bool) -> str:
    # The order of the fields is that of `fields` above.
    return EXPOSURE.format(
        not_before=NOT_BEFORE if anew else "",
        sums=sums({"sent": SENT_MAIL, "exposed": f"{SENT_MAIL} if {THROUGH_LISTED}"}, windows, "bucket"),
    )
