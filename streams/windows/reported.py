"""The spam rate that Gmail reports of a customer's domains, as a rule of the metric `reported_spam` judges it.

A day counts in the windows in which it ended, by UTC; of the days and domains the worst is taken, since Google's
thresholds are of each day (https://support.google.com/a/answer/81126). A window without any reported day has no rate:
nothing is known of it. It is of all mail of a customer, so no stream has it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.counts import REPORTED_OF
from schemas.event import DEFAULT_STREAM
from schemas.scope import CUSTOMER
from schemas.times import DAY_S
from streams.io.store import Store, portions
from streams.subjects.arrays import Subjects, Totals, merged, no_counts
from streams.subjects.fresh_starts import Since
from streams.subjects.reported import OF, RATE, ReportedDay

SPAM_RATES = """
SELECT customer, toInt64(toUnixTimestamp(toDateTime(day, 'UTC'))) AS began, max(rate)
FROM provider_reports FINAL
WHERE source = 'postmaster' AND measure = 'spam_rate' AND isNotNull(rate)
    AND customer IN {customers:Array(String)}
    AND day >= toDate(toDateTime({since:UInt32}, 'UTC')) AND day < toDate(toDateTime({until:UInt32}, 'UTC'))
GROUP BY customer, day
ORDER BY customer, day
"""

CUSTOMERS = """
SELECT DISTINCT customer FROM provider_reports FINAL
WHERE source = 'postmaster' AND measure = 'spam_rate' AND isNotNull(rate) AND customer != ''
    AND day >= toDate(toDateTime({since:UInt32}, 'UTC')) AND day < toDate(toDateTime({until:UInt32}, 'UTC'))
"""


def customers_reported(store: Store, since_s: int, until_s: int) -> set[str]:
    """Of whom a rate was reported of a day that ended from `since_s` to `until_s` (epoch s).

    Raises:
        StoreError: the store failed.
    """
    rows = store.rows(CUSTOMERS, {"since": max(0, since_s - DAY_S), "until": until_s})
    return {str(customer) for (customer,) in rows}


def read_reported(
    store: Store, customers: Sequence[str], since_s: int, until_s: int
) -> Mapping[str, Sequence[ReportedDay]]:
    """By customer the days that ended from `since_s` to `until_s` (epoch s), oldest first.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[ReportedDay]] = defaultdict(list)
    for names in portions(store, customers):
        asked = {"customers": names, "since": max(0, since_s - DAY_S), "until": until_s}
        for customer, began, rate in store.rows(SPAM_RATES, asked):
            found[customer].append(ReportedDay(int(began), int(began) + DAY_S, round(rate * REPORTED_OF)))
    return found


def days_in(
    store: Store, customers: Sequence[str], lengths_ms: Sequence[int], now_ms: int, since: Since
) -> Mapping[str, Sequence[ReportedDay]]:
    """By customer the days that count in any of the windows: of before a fresh start (`since`, epoch s) none does.

    Raises:
        StoreError: the store failed.
    """
    now_s = now_ms // 1000
    found = read_reported(
        store, customers, min((now_s - length // 1000 for length in lengths_ms), default=now_s), now_s
    )
    counting = {
        customer: [each for each in days if each.ended_s <= now_s and each.began_s >= since.get(customer, 0)]
        for customer, days in found.items()
    }
    return {customer: days for customer, days in counting.items() if days}


def with_reported(totals: Totals, days: Mapping[str, Sequence[ReportedDay]], windows: int) -> Totals:
    """With those, too, of whom something was reported and nothing counted: their mail may be older than every window,
    or have gone by ways that are not counted here."""
    silent = sorted(days.keys() - {customer for customer, _ in totals.keys})
    if not silent:
        return totals
    nothing = Totals([(customer, DEFAULT_STREAM) for customer in silent], no_counts(len(silent), windows))
    return merged([totals, nothing], [range(windows)] * 2, windows)


def add_reported(
    found: Subjects, days: Mapping[str, Sequence[ReportedDay]], lengths_ms: Sequence[int], now_ms: int
) -> None:
    """Fill it in for customers."""
    begins = [now_ms // 1000 - length // 1000 for length in lengths_ms]
    for row, (customer, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        for day in days.get(customer, ()) if scope == CUSTOMER else ():
            for window, begin in enumerate(begins):
                if begin <= day.ended_s:
                    counts = found.counts[row, window]
                    counts[RATE], counts[OF] = max(int(counts[RATE]), day.parts), REPORTED_OF
