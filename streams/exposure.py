"""Mail that went through listed addresses, and listings that are one customer's alone."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from schemas.listing import Weight
from streams.listings import Listing, users_of
from streams.portions import portions
from streams.store import Store
from streams.subjects import CUSTOMER, PLACE, Subjects, Totals
from streams.totals import MINUTE_S, begin, longest_first, sums

#: Listings that make mail count as exposed. Informational lists say nothing about abuse.
EXPOSING: tuple[Weight, ...] = ("critical", "major", "minor")
#: How long the answer to who else uses an address is good for.
USERS_MS = 60_000
FOREVER_S = 2**32 - 1

#: Mail that left: delivered, bounced or expired, each recipient once (a late bounce was delivered before).
SENT_MAIL = "delivered + hard + soft + block + expired - late_hard - late_soft - late_block"
THROUGH_LISTED = """value IN {ips:Array(String)} AND arrayExists(
    (ip, begins, ends) -> ip = value AND bucket >= toDateTime(begins) AND bucket < toDateTime(ends),
    {ips:Array(String)}, {begins:Array(UInt32)}, {ends:Array(UInt32)})"""

#: Who used a listed address at all; mostly nobody did, and then nothing more is read.
EXPOSED = """
SELECT DISTINCT customer
FROM counts
WHERE dimension = 'ip' AND customer IN {customers:Array(String)} AND value IN {ips:Array(String)}
    AND bucket >= toDateTime({since_0:UInt32})
"""

EXPOSURE = """
SELECT customer, stream,
    {sums}
FROM counts
WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since_0:UInt32}})
GROUP BY customer, stream
"""


def add_exposure(
    store: Store,
    totals: Totals,
    customers: Sequence[str],
    windows_ms: Sequence[int],
    listings: Sequence[Listing],
    now_ms: int,
) -> None:
    """Fill in `sent` and `exposed` of the totals of customers (sorted), of whom used a listed address.

    Whoever did not keeps zeros in both: there is no exposure to judge.

    Raises:
        StoreError: the store failed.
    """
    order = longest_first(windows_ms)
    since = [begin(windows_ms[window], now_ms) for window in order]
    listed = [each for each in listings if each.to_ms is None or each.to_ms > since[0] * 1000]
    if not listed or not totals.keys:
        return
    asked = {"ips": [each.resource for each in listed], "since_0": since[0]}
    exposed = sorted(
        str(customer)
        for part in portions(store, customers)
        for (customer,) in store.rows(EXPOSED, {"customers": part, **asked})
    )
    asked |= {
        # A minute counts as exposed from the one in which the listing was first seen.
        "begins": [each.from_ms // 60_000 * MINUTE_S for each in listed],
        "ends": [FOREVER_S if each.to_ms is None else each.to_ms // 1000 for each in listed],
        **{f"since_{place}": second for place, second in enumerate(since)},
    }
    rows = {key: row for row, key in enumerate(totals.keys)}
    places = [PLACE["sent"], PLACE["exposed"]]
    for part in portions(store, exposed):
        for block in store.blocks(_sql(len(order)), {"customers": part, **asked}):
            numbers = np.stack(block[2:], axis=1).astype(np.int64).reshape(-1, len(order), len(places))
            for customer, stream, found in zip(block[0], block[1], numbers, strict=True):
                row = rows.get((customer, stream))
                if row is not None:
                    totals.counts[row][np.ix_(order, places)] = found


class SoleUsers:
    """Critical listings by the one customer that used the address; a shared address accuses nobody.

    Who used an address is read again after `USERS_MS`, or when another address is listed: to find that out, every
    customer's counts are read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._users: dict[str, set[str]] = {}
        self._read_ms = -USERS_MS

    def owned(self, listings: Sequence[Listing], now_ms: int) -> dict[str, list[Listing]]:
        """The listings of each customer that has one.

        Raises:
            StoreError: the store failed.
        """
        critical = [each for each in listings if each.weight == "critical"]
        ips = {each.resource for each in critical}
        if now_ms - self._read_ms >= USERS_MS or not ips <= self._users.keys():
            found = users_of(self._store, ips, now_ms)
            self._users, self._read_ms = {ip: found.get(ip, set()) for ip in ips}, now_ms
        owned: dict[str, list[Listing]] = defaultdict(list)
        for each in critical:
            if len(users := self._users[each.resource]) == 1:
                owned[next(iter(users))].append(each)
        return owned


def add_listings(found: Subjects, windows_ms: Sequence[int], owned: dict[str, list[Listing]], now_ms: int) -> None:
    """Fill in `critical_listings` of customers: how many were in force in each window."""
    if not owned:
        return
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        if scope == CUSTOMER and customer in owned:
            found.counts[row, :, PLACE["critical_listings"]] = [
                sum(each.to_ms is None or each.to_ms > now_ms - length for each in owned[customer])
                for length in windows_ms
            ]


@lru_cache(maxsize=32)
def _sql(windows: int) -> str:
    # The order of the fields is that of `places` above.
    return EXPOSURE.format(
        sums=sums({"sent": SENT_MAIL, "exposed": f"{SENT_MAIL} if {THROUGH_LISTED}"}, windows, "bucket")
    )
