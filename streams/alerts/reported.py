"""Which days and domains stand behind a verdict on the spam rate that Gmail reports (`streams.windows.reported`)."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from schemas.alert import ReportedRate
from schemas.times import DAY_S
from streams.io.store import Store
from streams.subjects.fresh_starts import Since

#: The worst first; where two are alike the later.
WORST_DAYS = """
SELECT customer, toString(day), toInt64(toUnixTimestamp(toDateTime(day, 'UTC'))) AS began, resource, rate
FROM provider_reports FINAL
WHERE source = 'postmaster' AND measure = 'spam_rate' AND isNotNull(rate)
    AND customer IN {customers:Array(String)}
    AND began + {day:UInt32} >= {since:UInt32} AND began + {day:UInt32} <= {until:UInt32}
ORDER BY customer, rate DESC, day DESC, resource
LIMIT 1000 BY customer
"""


def worst_days(
    store: Store, customers: Collection[str], length_ms: int, now_ms: int, since: Since, most: int
) -> Mapping[str, tuple[ReportedRate, ...]]:
    """By customer so many of the days that a window of `length_ms` has, the one that is judged first.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[ReportedRate]] = defaultdict(list)
    now_s = now_ms // 1000
    asked = {
        "customers": sorted(set(customers)),
        "since": max(0, now_s - length_ms // 1000),
        "until": now_s,
        "day": DAY_S,
    }
    for customer, day, began, domain, rate in store.rows(WORST_DAYS, asked):
        if began >= since.get(customer, 0) and len(found[customer]) < most:
            found[customer].append(ReportedRate(day=day, domain=domain, rate=rate))
    return {customer: tuple(days) for customer, days in found.items()}
