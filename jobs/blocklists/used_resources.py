"""What blocklists are asked about: addresses and domains that were sent from lately, and those of the settings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.blocklists.answer import is_address
from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.registered_domain import registered_domain
from schemas.counts import finished_sql
from schemas.domains import domain_name
from schemas.times import DAY_S
from streams.io.store import Store

#: So many customers of a resource are named, ...
NAMED = 5
#: ... and so many of a domain are distinguished, to be counted once for the domain registered above several.
TOLD_APART = 100

#: Sending addresses, From and DKIM domains with who used them and for how many messages: those that left, each
#: recipient once, and those that were never sent; the largest customers with theirs. Whole hours are read, since counts
#: are kept in hours too.
USED = f"""
SELECT toString(dimension), value,
    arraySlice(
        arraySort(each -> (-each.2, each.1), groupArray((customer, messages))),
        1, if(dimension = 'ip', {{named:UInt32}}, {{told_apart:UInt32}})
    ),
    count(), sum(messages)
FROM
(
    SELECT dimension, value, customer,
        toInt64({finished_sql("sum({})")} + sum(suppressed) + sum(rejected)) AS messages
    FROM counts
    WHERE dimension IN ('ip', 'from', 'dkim')
        AND toStartOfHour(bucket) >= toStartOfHour(toDateTime({{since:UInt32}}, 'UTC'))
    GROUP BY dimension, value, customer
)
GROUP BY dimension, value
ORDER BY dimension, value
"""  # noqa: S608 - made of names from this project only


@dataclass(frozen=True, slots=True)
class ResourceUsers:
    """Who used a resource: some of the customers by name, the largest first; how many there are, or at least so many,
    where names below a domain have over a hundred each; and their messages.
    """

    customers: tuple[str, ...] = ()
    customer_count: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """All resources with their use, and what is in the store or the settings and cannot be asked about."""

    by_resource: Mapping[Resource, ResourceUsers] = field(default_factory=dict)
    invalid: tuple[str, ...] = ()


def read_used(store: Store, lookback_days: int, extra: Sequence[str], now_ms: int) -> Used:
    """What was sent from in the last `lookback_days` (`now_ms` is epoch ms, UTC), and `extra`.

    Raises:
        StoreError: the store failed.
    """
    since = max(0, now_ms // 1000 - lookback_days * DAY_S)
    asked = {"since": since, "named": NAMED, "told_apart": TOLD_APART}
    return used(store.rows(USED, asked), extra)


def used(rows: Iterable[Sequence[Any]], extra: Iterable[str] = ()) -> Used:
    """Resources from rows (dimension, value, [(customer, messages), ...], customers, messages); of each domain its
    registered domain, too. Pure."""
    found: dict[Resource, _Sum] = defaultdict(_Sum)
    invalid: dict[str, None] = {}
    for dimension, value, largest, customers, messages in rows:
        several = resources_of(value, kind="ip" if dimension == "ip" else "domain")
        for each in several:
            found[each].add(largest, int(customers), int(messages))
        if not several:
            invalid[value] = None
    for value in extra:
        several = resources_of(value)
        found |= {each: found[each] for each in several}
        if not several:
            invalid[value] = None
    return Used({each: sums.use() for each, sums in found.items()}, tuple(invalid))


@dataclass(slots=True)
class _Sum:
    """The use of a resource, added up over the names below it."""

    by_customer: Counter[str] = field(default_factory=Counter)
    customers: int = 0
    messages: int = 0

    def add(self, largest: Iterable[tuple[str, int]], customers: int, messages: int) -> None:
        for customer, many in largest:
            self.by_customer[customer] += int(many)
        self.customers = max(self.customers, customers)
        self.messages += messages

    def use(self) -> ResourceUsers:
        order = sorted(self.by_customer, key=lambda customer: (-self.by_customer[customer], customer))
        return ResourceUsers(tuple(order[:NAMED]), max(self.customers, len(order)), self.messages)


def resources_of(text: str, kind: str = "") -> tuple[Resource, ...]:
    """An address; or a domain and the domain registered, where that differs; or nothing, where the text is neither,
    or not of the kind."""
    if is_address(text):
        return () if kind == "domain" else (Resource("ip", text),)
    name = domain_name(text)
    if not name or kind == "ip":
        return ()
    registered = registered_domain(name)
    return tuple(Resource("domain", each) for each in dict.fromkeys((name, registered)) if each)
