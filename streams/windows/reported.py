"""The spam rate that Gmail reports of a customer's domains, as a rule of the metric `reported_spam` judges it.

A day counts in the windows in which it ended, by UTC; of the days and domains the worst is taken, since Google's
thresholds are of each day (https://support.google.com/a/answer/81126). A window without any reported day has no rate:
nothing is known of it. It is of all mail of a customer, so no stream has it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from schemas.counts import REPORTED_OF
from schemas.scope import CUSTOMER
from schemas.times import DAY_S
from streams.io.store import Store, portions
from streams.subjects.arrays import Subjects
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


def add_reported(store: Store, found: Subjects, lengths_ms: Sequence[int], now_ms: int, since: Since) -> None:
    """Fill it in for customers. Days that began before a customer's fresh start (`since`, epoch s) do not count.

    Raises:
        StoreError: the store failed.
    """
    now_s = now_ms // 1000
    begins = [now_s - length // 1000 for length in lengths_ms]
    subjects = enumerate(zip(found.customers, found.scopes, strict=True))
    rows = {customer: row for row, (customer, scope) in subjects if scope == CUSTOMER}
    for customer, days in read_reported(store, list(rows), min(begins), now_s).items():
        for day in days:
            for window, begin in enumerate(begins):
                if begin <= day.ended_s <= now_s and day.began_s >= since.get(customer, 0):
                    counts = found.counts[rows[customer], window]
                    counts[RATE], counts[OF] = max(int(counts[RATE]), day.parts), REPORTED_OF
