"""Whose mail of an hour is known to be given up by now, if it is: mail that waits for days is counted nowhere.

When half of the mail of an hour is deferred, one customer gives it up after a day, another one after five (RFC 5321,
section 4.5.4.1, asks for four to five at least), and a third one's formats do not say of which mail an expiry is. Until
then those seem to be spared: what was delivered is all that is seen of them. So of what expires they are not asked,
until mail of theirs that was sent in that hour or later is known to be given up.
"""

from collections.abc import Sequence

from streams.io.store import Store, portions

#: The last hour in which mail was sent that expired, by customer; of expiries without a date it is not known.
LAST_EXPIRED = """
SELECT customer, max(hour)
FROM
(
    SELECT customer, toUnixTimestamp(toStartOfHour(bucket)) AS hour FROM counts
    WHERE dimension = 'provider' AND customer IN {customers:Array(String)}
        AND toStartOfHour(bucket) >= toDateTime({since:UInt32})
    GROUP BY customer, hour
    HAVING sum(expired) > sum(undated_expired)
)
GROUP BY customer
"""


def last_expired(store: Store, customers: Sequence[str], since_s: int) -> dict[str, int]:
    """The last hour (epoch s), not before `since_s`, in which each of some customers sent mail that is known to be
    given up; who has none is not in it.

    Raises:
        StoreError: the store failed.
    """
    return {
        str(customer): int(hour)
        for part in portions(store, customers)
        for customer, hour in store.rows(LAST_EXPIRED, {"customers": part, "since": max(0, since_s)})
    }
