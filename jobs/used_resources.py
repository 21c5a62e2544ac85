"""What blocklists are asked about: addresses and domains that were sent from lately, and those of the settings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.dnsbl import Resource
from jobs.dnsbl_answer import is_address
from jobs.registered_domain import registered_domain
from schemas.domains import domain_name
from streams.store import Store

DAY_S = 24 * 3600
#: So many customers of a resource are named.
NAMED = 5

#: Sending addresses and From domains with who used them and for how many messages: those that left, each recipient
#: once, and those that were never sent. Whole hours are read, since counts are kept in hours too.
USED = """
SELECT toString(dimension), value, customer,
    sum(delivered) + sum(hard) + sum(soft) + sum(block) + sum(expired)
        - sum(late_hard) - sum(late_soft) - sum(late_block) + sum(suppressed) + sum(rejected)
FROM counts
WHERE dimension IN ('ip', 'from') AND toStartOfHour(bucket) >= toStartOfHour(toDateTime({since:UInt32}, 'UTC'))
GROUP BY dimension, value, customer
ORDER BY dimension, value, customer
"""


@dataclass(frozen=True, slots=True)
class Use:
    """Who used a resource: some of the customers by name, the largest first, how many there are, and their messages."""

    customers: tuple[str, ...] = ()
    customer_count: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """All resources with their use, and what is in the store or the settings and cannot be asked about."""

    by_resource: Mapping[Resource, Use] = field(default_factory=dict)
    invalid: tuple[str, ...] = ()


def read_used(store: Store, lookback_days: int, also: Sequence[str], now_ms: int) -> Used:
    """What was sent from in the last `lookback_days` (`now_ms` is epoch ms, UTC), and `also`.

    Raises:
        StoreError: the store failed.
    """
    since = max(0, now_ms // 1000 - lookback_days * DAY_S)
    return used(store.rows(USED, {"since": since}), also)


def used(rows: Iterable[Sequence[Any]], also: Iterable[str] = ()) -> Used:
    """Resources from rows (dimension, value, customer, messages); of each domain its registered domain, too. Pure."""
    messages: dict[Resource, Counter[str]] = defaultdict(Counter)
    invalid: dict[str, None] = {}
    for dimension, value, customer, count in rows:
        found = resources_of(value, kind="ip" if dimension == "ip" else "domain")
        for each in found:
            messages[each][customer] += int(count)
        if not found:
            invalid[value] = None
    for value in also:
        found = resources_of(value)
        for each in found:
            messages[each].update(())
        if not found:
            invalid[value] = None
    return Used({each: _use(by) for each, by in messages.items()}, tuple(invalid))


def resources_of(text: str, kind: str = "") -> tuple[Resource, ...]:
    """An address; or a domain and the domain registered, where that is another; or nothing, where the text is neither,
    or not of the kind."""
    if is_address(text):
        return () if kind == "domain" else (Resource("ip", text),)
    name = domain_name(text)
    if not name or kind == "ip":
        return ()
    registered = registered_domain(name)
    return tuple(Resource("domain", each) for each in dict.fromkeys((name, registered)) if each)


def _use(messages: Counter[str]) -> Use:
    order = sorted(messages, key=lambda customer: (-messages[customer], customer))
    return Use(tuple(order[:NAMED]), len(order), messages.total())
