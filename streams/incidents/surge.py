"""Whether those whose mail fails everywhere at once suddenly send far more than ever before.

All mail fails because of the platform's own network, or because those who send are one abuser's accounts, aged until
they had a good history, at an hour at which hardly anybody else sends. Their failures do not tell which. What does is
how much they send: a network that breaks strikes usual mail, and few of those who send then happen to have their
busiest hour ever; accounts that waited for their day have all of them. Where it is most of those who were struck,
nobody can tell any more whether it is the network: so it is only suspected, and a person looks first.
"""

from collections.abc import Mapping, Sequence

from schemas.counts import finished_sql
from streams.io.store import Store, portions
from streams.subjects.left_out import NOT_LEFT_OUT, KnownLeftOut
from streams.subjects.totals import bound

#: Who sends so many times in one hour what it sent in its busiest hour of the weeks before, surges. A mailing twice as
#: large as any before is nothing rare (`volume_spike` warns of it in 9 of 10,000 good months).
TIMES = 3.0
#: More than this share of those who were struck.
SHARE = 1 / 2
#: What the incident says then.
WHY = "most of those who were struck sent several times what they ever did in an hour: it may be they, not the network"
#: And on a platform's first day, on which nobody has a history.
WHY_FIRST_DAY = "nobody has a history yet: it may be those who send, not the network"

#: The recipients of each customer's busiest hour, of what counts.
BUSIEST = f"""
SELECT customer, max(mail)
FROM
(
    SELECT customer, toStartOfHour(bucket) AS hour, toInt64({finished_sql("sum({})")}) AS mail FROM counts
    WHERE dimension = 'provider' AND customer IN {{customers:Array(String)}}
        AND toStartOfHour(bucket) >= toDateTime({{since:UInt32}})
        AND toStartOfHour(bucket) < toDateTime({{until:UInt32}}) AND {NOT_LEFT_OUT}
    GROUP BY customer, hour
)
GROUP BY customer
"""  # noqa: S608 - made of texts of this project only


def busiest_hours(
    store: Store, customers: Sequence[str], since_s: int, until_s: int, left_out: KnownLeftOut = None
) -> dict[str, int]:
    """The recipients of the busiest hour of each customer between two midnights (epoch s), without what is `left_out`,
    as far as that is known; who had none is not in it.

    Raises:
        StoreError: the store failed.
    """
    asked = {"since": max(0, since_s), "until": until_s}
    return {
        str(customer): int(mail)
        for part in portions(store, customers)
        for customer, mail in store.rows(*bound(BUSIEST, {"customers": part, **asked}, left_out))
    }


def most_surge(sent: Mapping[str, int], busiest: Mapping[str, int]) -> bool:
    """Whether most of those who were struck surge: what each `sent` in the hour, and in its `busiest` one before."""
    surging = sum(mail > TIMES * busiest.get(customer, 0) for customer, mail in sent.items())
    return surging > SHARE * len(sent)
