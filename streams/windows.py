"""Window totals from ClickHouse: what was counted for some customers over each sliding window.

Windows slide in event time and end now. Up to 24 h they begin at a minute; longer ones begin at a full hour, so
that they are read from the hourly projection (30 days then cost about as much as one).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.counts import MEASURES, SubjectCounts, WindowCounts
from schemas.listing import Weight
from streams.listings import Listing, read_listings, users_of
from streams.store import Store

MINUTE_S = 60
HOUR_S = 3600
#: Windows up to this length (s) begin at a minute.
SHORT_S = 24 * HOUR_S

#: Listings that make mail count as exposed. Informational lists say nothing about abuse.
EXPOSING: tuple[Weight, ...] = ("critical", "major", "minor")
#: More customers than this are asked for in several queries, so that no query grows without bound.
ASK_AT_ONCE = 2_000

CUSTOMER = "customer"
STREAM_PREFIX = "stream:"

#: Mail that left: delivered, bounced or expired, each recipient once (a late bounce was delivered before).
_SENT = "delivered + hard + soft + block + expired - late_hard - late_soft - late_block"
_SUMS = ",\n    ".join(f"sum({name})" for name in MEASURES)

SHORT_TOTALS = f"""
SELECT customer, stream,
    {_SUMS},
    sumIf(delivered, value IN {{fbl:Array(String)}}),
    sumIf(complained, value IN {{fbl:Array(String)}})
FROM counts
WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
GROUP BY customer, stream
"""  # noqa: S608 - made of names from this project only

#: The inner query has the shape of the hourly projection, so ClickHouse reads that instead of the minutes.
LONG_TOTALS = f"""
SELECT customer, stream,
    {", ".join(f"sum(n_{name})" for name in MEASURES)},
    sumIf(n_delivered, value IN {{fbl:Array(String)}}),
    sumIf(n_complained, value IN {{fbl:Array(String)}})
FROM
(
    SELECT customer, stream, toStartOfHour(bucket) AS hour, value,
        {", ".join(f"sum({name}) AS n_{name}" for name in MEASURES)}
    FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
    GROUP BY customer, stream, hour, value
)
GROUP BY customer, stream
"""  # noqa: S608 - made of names from this project only

EXPOSURE = f"""
SELECT customer, stream, sum({_SENT}),
    sumIf({_SENT}, arrayExists(
        (ip, begins, ends) -> ip = value AND bucket >= toDateTime(begins) AND bucket < toDateTime(ends),
        {{ips:Array(String)}}, {{begins:Array(UInt32)}}, {{ends:Array(UInt32)}}))
FROM counts
WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}} AND bucket >= toDateTime({{since:UInt32}})
GROUP BY customer, stream
"""  # noqa: S608 - made of names from this project only

Totals = dict[tuple[str, str], list[int]]


def window_counts(
    store: Store,
    customers: Iterable[str],
    windows: Mapping[str, int],
    feedback_loop_providers: Sequence[str],
    now_ms: int,
) -> list[SubjectCounts]:
    """Totals of each customer and of each of its streams (these only where it has more than one).

    `windows` maps names to lengths in ms. A customer without any count is absent.

    Raises:
        StoreError: the store failed.
    """
    asked = sorted(set(customers))
    found: list[SubjectCounts] = []
    longest_ms = max(windows.values(), default=0)
    listings = read_listings(store, now_ms - longest_ms, EXPOSING)
    sole_users = _sole_users(store, listings, now_ms)
    for start in range(0, len(asked), ASK_AT_ONCE):
        part = asked[start : start + ASK_AT_ONCE]
        totals = {
            name: _one_window(store, part, now_ms // 1000, length_ms // 1000, feedback_loop_providers, listings)
            for name, length_ms in windows.items()
        }
        found += _subjects(totals, windows, listings, sole_users, now_ms)
    return found


def _one_window(
    store: Store, customers: list[str], now_s: int, length_s: int, fbl: Sequence[str], listings: list[Listing]
) -> tuple[Totals, Totals]:
    grain = MINUTE_S if length_s <= SHORT_S else HOUR_S
    since = max(0, (now_s - length_s) // grain * grain)
    asked: dict[str, Any] = {"customers": customers, "since": since}
    sql = SHORT_TOTALS if length_s <= SHORT_S else LONG_TOTALS
    counted = _totals(store.rows(sql, {**asked, "fbl": list(fbl)}))
    in_window = [each for each in listings if each.to_ms is None or each.to_ms > since * 1000]
    if not in_window:
        return counted, {}
    forever = 2**32 - 1
    exposure = store.rows(
        EXPOSURE,
        {
            **asked,
            "ips": [each.resource for each in in_window],
            # A minute counts as exposed from the one in which the listing was first seen.
            "begins": [each.from_ms // 60_000 * MINUTE_S for each in in_window],
            "ends": [forever if each.to_ms is None else each.to_ms // 1000 for each in in_window],
        },
    )
    return counted, _totals(exposure)


def _totals(rows: Sequence[Sequence[Any]]) -> Totals:
    return {(str(row[0]), str(row[1])): [int(number) for number in row[2:]] for row in rows}


def _sole_users(store: Store, listings: list[Listing], now_ms: int) -> dict[str, list[Listing]]:
    """Critical listings by the one customer that used the address; a shared address accuses nobody."""
    critical = [each for each in listings if each.weight == "critical"]
    users = users_of(store, (each.resource for each in critical), now_ms)
    owned: dict[str, list[Listing]] = defaultdict(list)
    for each in critical:
        if len(users.get(each.resource, ())) == 1:
            owned[next(iter(users[each.resource]))].append(each)
    return owned


def _subjects(
    totals: Mapping[str, tuple[Totals, Totals]],
    windows: Mapping[str, int],
    listings: list[Listing],
    owned: Mapping[str, list[Listing]],
    now_ms: int,
) -> list[SubjectCounts]:
    streams: dict[str, set[str]] = defaultdict(set)
    for counted, _ in totals.values():
        for customer, stream in counted:
            streams[customer].add(stream)
    found = []
    for customer, names in streams.items():
        scopes = [(CUSTOMER, sorted(names))]
        if len(names) > 1:
            scopes += [(STREAM_PREFIX + name, [name]) for name in sorted(names)]
        for scope, members in scopes:
            found.append(
                SubjectCounts(
                    customer=customer,
                    scope=scope,
                    windows={
                        window: _window(
                            [counted.get((customer, name), ()) for name in members],
                            [exposed.get((customer, name), ()) for name in members],
                            _in_force(owned.get(customer, ()), now_ms - windows[window]) if scope == CUSTOMER else 0,
                        )
                        for window, (counted, exposed) in totals.items()
                    },
                )
            )
    return found


def _in_force(listings: Iterable[Listing], since_ms: int) -> int:
    return sum(1 for each in listings if each.to_ms is None or each.to_ms > since_ms)


def _window(counted: list[Any], exposed: list[Any], critical_listings: int) -> WindowCounts:
    sums = [sum(numbers) for numbers in zip(*(row for row in counted if row), strict=True)]
    sent = [sum(numbers) for numbers in zip(*(row for row in exposed if row), strict=True)]
    names = (*MEASURES, "fbl_delivered", "fbl_complained")
    return msgspec.convert(
        {
            **dict(zip(names, sums or [0] * len(names), strict=True)),
            "sent": max(0, sent[0]) if sent else 0,
            "exposed": max(0, sent[1]) if sent else 0,
            "critical_listings": critical_listings,
        },
        WindowCounts,
    )
