"""Listings that are the matter of a shared pool, although one customer alone used the address before they began.

Which address of a pool a mail goes through is chance: a small customer may be the only one that used one of them for
two days. So where a customer shares the address with others over four weeks, or other addresses of the only pool that
it sends through, and mails well, the listing is not its own if the pool says why:

- the list names others of its addresses within the hour, which others used: it is one finding about the pool, or
- others of the pool are plainly bad, and have at least half of all that its listings may come from.

Then it is attributed by the mail of the pool, to whoever that names; if to nobody, it is the pool's. Who has no good
history, or mailed badly in those 48 h, answers for its address as ever: many addresses of one abuser's accounts are not
excused by each other. Nor are addresses of one customer each, though all may bear the name of one pool (`dedicated`).
A pool set up for one customer is that one's.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.policy import NOT_GOOD
from schemas.times import DAY_S, HOUR_MS, HOUR_S, MINUTE_MS
from streams.io.store import Store, portions
from streams.listings.attribution import CustomerUse, attribute
from streams.listings.exposure import EXPOSING, SENT_MAIL
from streams.listings.good_history import BY_CUSTOMER, MAIL_SINCE, Bad, Mail, history_of
from streams.listings.intervals import USED_WITHIN_S, ListingInterval

#: Of what may have brought a pool on a list, such a part (a ratio) is of those who are plainly bad.
STANDS_OUT = 0.5
#: What of a pool is named within so long is one finding: one scan of a large fleet takes minutes.
WITHIN_MS = HOUR_MS
HISTORY_DAYS = 28
#: Mail is asked for up to full ten minutes, so that a scan of thousands of addresses asks a few times.
ASKED_EVERY_MS = 10 * MINUTE_MS
#: What is bad in any policy. Which one is in force does not change whose a listing is.
BAD = Bad(NOT_GOOD["failure"], NOT_GOOD["complaint"])

#: The pool that each address's bounces and complaints named last.
POOLS = """
SELECT sending_ip, argMax(ip_pool, events.time)
FROM events
WHERE sending_ip IN {ips:Array(String)} AND ip_pool != '' AND events.time >= toDateTime({since:UInt32})
GROUP BY sending_ip
"""
#: The pools that customers sent through.
SENT_THROUGH = f"""
SELECT customer, groupUniqArray(2)(value)
FROM
(
    SELECT customer, value FROM counts
    WHERE dimension = 'pool' AND customer IN {{customers:Array(String)}} AND value != ''
        AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
    GROUP BY customer, value
    HAVING toInt64(sum({SENT_MAIL})) > 0
)
GROUP BY customer
"""  # noqa: S608 - made of texts of this project only
#: What each customer did through each pool before a listing of it began.
USED = f"""
SELECT value, customer, toInt64(sum({SENT_MAIL})), sum(complained), sum(hard), sum(block)
FROM counts
WHERE dimension = 'pool' AND value IN {{pools:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
GROUP BY value, customer
"""  # noqa: S608 - made of texts of this project only
#: The addresses of some customers that others sent through, too, and which of those customers did.
SHARED = f"""
SELECT value, groupArrayIf(customer, customer IN {{customers:Array(String)}})
FROM
(
    SELECT value, customer FROM counts
    WHERE dimension = 'ip' AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
        AND value IN
        (
            SELECT value FROM counts
            WHERE dimension = 'ip' AND customer IN {{customers:Array(String)}}
                AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
        )
    GROUP BY value, customer
    HAVING toInt64(sum({SENT_MAIL})) > 0
)
GROUP BY value
HAVING count() > 1
"""  # noqa: S608 - made of texts of this project only
#: What the mail of customers was like before a listing began.
MAIL = f"""{MAIL_SINCE}
        AND customer IN {{customers:Array(String)}} AND toStartOfHour(bucket) < toDateTime({{until:UInt32}})
{BY_CUSTOMER}"""


class AloneListed(NamedTuple):
    """A listing of an address that `customer` alone used in the 48 h before."""

    listing: ListingInterval
    customer: str


class OfPool(NamedTuple):
    """A listing that is the matter of a pool, and what everybody did through that pool in the 48 h before."""

    pool: str
    uses: tuple[CustomerUse, ...]


def of_pools(
    store: Store, alone: Iterable[AloneListed], named: Mapping[ListingInterval, Sequence[str]], owned: Mapping[str, str]
) -> dict[ListingInterval, OfPool]:
    """Those of some listings that are a pool's. `named` are all that are known, with who used what each names (two at
    least, if so many did); `owned` the pools that are set up for one customer.

    Raises:
        StoreError: the store failed.
    """
    asked = [each for each in alone if each.listing.kind == "ip" and each.listing.weight in EXPOSING]
    if not asked:
        return {}
    asked = _shared(store, asked)
    pools = _pools_of(store, named) if asked else {}
    shared = [each for each in asked if (pool := pools.get(each.listing.resource)) and pool not in owned]
    found: dict[ListingInterval, OfPool] = {}
    for began_s in sorted({_asked_s(each) for each in shared}):
        some = [each for each in shared if _asked_s(each) == began_s]
        uses = _uses(store, {pools[each.listing.resource] for each in some}, began_s)
        some = [each for each in some if len(uses[pools[each.listing.resource]]) > 1]
        good = _good(store, {each.customer for each in some}, began_s) if some else set()
        for each in some:
            pool = pools[each.listing.resource]
            if each.customer not in good or _is_bad(uses[pool].get(each.customer)):
                continue
            of_pool = uses[pool].values()
            if _blames_others(of_pool, each.customer) or _is_one_of_many(each, pool, named, pools):
                found[each.listing] = OfPool(pool, tuple(of_pool))
    return found


def _shared(store: Store, asked: Sequence[AloneListed]) -> list[AloneListed]:
    """Those of pools that are shared: another used the address in the weeks before, or another address of who sends
    through that pool alone."""
    found: list[AloneListed] = []
    for began_s in sorted({_asked_s(each) for each in asked}):
        some = [each for each in asked if _asked_s(each) == began_s]
        customers = sorted({each.customer for each in some})
        times = {"since": max(0, began_s - HISTORY_DAYS * DAY_S), "until": began_s}
        addresses: set[str] = set()
        sharing: set[str] = set()
        for portion in portions(store, customers):
            for address, users in store.rows(SHARED, {"customers": portion, **times}):
                addresses.add(str(address))
                sharing.update(map(str, users))
        through = _sent_through(store, sharing, began_s, began_s)
        of_one = {customer for customer, pools in through.items() if len(pools) == 1}
        found += [each for each in some if each.listing.resource in addresses or each.customer in sharing & of_one]
    return found


def _asked_s(asked: AloneListed) -> int:
    """Up to when mail is asked for (epoch s): those that a scan found are asked together."""
    return -(-asked.listing.from_ms // ASKED_EVERY_MS) * ASKED_EVERY_MS // 1000


def _is_bad(use: CustomerUse | None) -> bool:
    """Whether mail of the 48 h is plainly bad by itself. What was refused says nothing: the pool may be refused."""
    if use is None:
        return False
    mail = Mail(use.volume, use.volume, use.invalid, use.volume - use.invalid, use.complaints)
    return history_of(mail, BAD) == "bad"


def _blames_others(uses: Iterable[CustomerUse], customer: str) -> bool:
    some = tuple(uses)
    bad = {use.customer for use in some if use.customer != customer and _is_bad(use)}
    return sum(cause.share for cause in attribute(some).causes if cause.customer in bad) >= STANDS_OUT


def _is_one_of_many(
    asked: AloneListed, pool: str, named: Mapping[ListingInterval, Sequence[str]], pools: Mapping[str, str]
) -> bool:
    """Whether another address of the pool, which others used, was named within the hour."""
    listing = asked.listing
    return any(
        pools.get(each.resource) == pool
        and each.resource != listing.resource
        and abs(each.from_ms - listing.from_ms) < WITHIN_MS
        and set(users) - {asked.customer}
        for each, users in named.items()
    )


def read_pools(store: Store, addresses: Mapping[str, int]) -> dict[str, str]:
    """The pool in which each address was used last, as far as events that are kept one by one say. `addresses` are
    given with when (epoch s) a listing began.

    Raises:
        StoreError: the store failed.
    """
    since = max(0, min(addresses.values(), default=0) - USED_WITHIN_S)
    return {
        str(ip): str(pool)
        for some in portions(store, sorted(addresses))
        for ip, pool in store.rows(POOLS, {"ips": some, "since": since})
    }


def _pools_of(store: Store, named: Mapping[ListingInterval, Sequence[str]]) -> dict[str, str]:
    """The pool of each address: what its bounces and complaints named; where there were none, the only pool that all
    who used it sent through."""
    users: dict[str, set[str]] = defaultdict(set)
    begins: dict[str, int] = {}
    for each, customers in named.items():
        if each.kind == "ip" and each.weight in EXPOSING:
            users[each.resource].update(customers)
            begins[each.resource] = min(each.from_ms // 1000, begins.get(each.resource, each.from_ms // 1000))
    found = read_pools(store, begins)
    unknown = {ip for ip in begins if ip not in found}
    asked = {customer for ip in unknown for customer in users[ip]}
    sent_through = _sent_through(store, asked, min(begins.values()), max(begins.values())) if unknown else {}
    for ip in unknown:
        pools = {pool for customer in users[ip] for pool in sent_through.get(customer, ("", " "))}
        if len(pools) == 1:
            found[ip] = pools.pop()
    return found


def _sent_through(store: Store, customers: Iterable[str], first_s: int, last_s: int) -> dict[str, Sequence[str]]:
    """The pools (two, if so many) that customers sent through in the 48 h before the first of some listings, or until
    the last."""
    asked = {"since": max(0, first_s - USED_WITHIN_S), "until": last_s}
    return {
        str(customer): pools
        for some in portions(store, sorted(customers))
        for customer, pools in store.rows(SENT_THROUGH, {"customers": some, **asked})
    }


def _uses(store: Store, pools: Iterable[str], began_s: int) -> dict[str, dict[str, CustomerUse]]:
    found: dict[str, dict[str, CustomerUse]] = defaultdict(dict)
    for some in portions(store, sorted(pools)):
        asked = {"pools": some, "since": max(0, began_s - USED_WITHIN_S), "until": began_s}
        for pool, customer, *numbers in store.rows(USED, asked):
            use = CustomerUse(str(customer), *map(int, numbers))
            if use.volume > 0:
                found[str(pool)][use.customer] = use
    return found


def _good(store: Store, customers: Iterable[str], began_s: int) -> set[str]:
    """Those of good history."""
    until = (began_s // HOUR_S + 1) * HOUR_S
    asked = {"since": max(0, until - HISTORY_DAYS * DAY_S), "old": max(0, until - DAY_S), "until": until}
    return {
        str(customer)
        for some in portions(store, sorted(customers))
        for customer, *numbers in store.rows(MAIL, {"customers": some, **asked})
        if history_of(Mail(*map(int, numbers)), BAD) == "good"
    }
