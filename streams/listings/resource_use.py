"""Who used an address or a domain, and when: the one place that knows where the counts say so.

Addresses are counted as they are. A listed domain is meant with all that is under it: mail from `news.acme.example`
uses the listed `acme.example`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.listing import ResourceKind
from streams.io.store import Store, portions

#: The counts through addresses, and those of domains, as rows with a `resource`. `{{columns}}` are what else is wanted.
ADDRESSES = """
SELECT value AS resource, {columns}
FROM counts
WHERE dimension = 'ip' AND value IN {{ips:Array(String)}}
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
"""
DOMAINS = """
SELECT resource, {columns}
FROM counts
ARRAY JOIN
    arrayFilter(each -> value = each OR endsWith(value, concat('.', each)), {{domains:Array(String)}}) AS resource
WHERE dimension IN ('from', 'dkim')
    AND bucket >= toDateTime({{since:UInt32}}) AND bucket < toDateTime({{until:UInt32}})
"""

CUSTOMERS = """
SELECT DISTINCT customer FROM ({used})
"""

#: A resource by kind and name.
Resource = tuple[ResourceKind, str]


@dataclass(frozen=True, slots=True)
class Users:
    """Who used a resource: its customers and their streams, two of each at most."""

    customers: tuple[str, ...]
    streams: tuple[str, ...]

    @property
    def alone(self) -> str | None:
        """The only customer; None where there is none, or several."""
        return self.customers[0] if len(self.customers) == 1 else None

    @property
    def one_stream(self) -> str | None:
        """The only stream of the only customer; None where that is not known."""
        return self.streams[0] if len(self.customers) == len(self.streams) == 1 else None


NOBODY = Users((), ())


def customers_of(store: Store, resources: Iterable[Resource], since_s: int, until_s: int) -> set[str]:
    """Everybody who used any of the resources in this time (epoch s).

    Raises:
        StoreError: the store failed.
    """
    return {str(customer) for (customer,) in used(store, CUSTOMERS, "customer", resources, since_s, until_s)}


def used(
    store: Store,
    sql: str,
    columns: str,
    resources: Iterable[Resource],
    since_s: int,
    until_s: int,
    bound: Mapping[str, Any] | None = None,
) -> Iterable[Sequence[Any]]:
    """The rows of a query over `{used}`: the counts of the resources, with the given columns of `counts`.

    Resources are asked for some at a time, each of them at once. `bound` is what else the query is given.

    Raises:
        StoreError: the store failed.
    """
    names: dict[str, list[str]] = {"ip": [], "domain": []}
    for kind, name in sorted(set(resources)):
        names[kind].append(name)
    asked = {**(bound or {}), "since": max(0, since_s), "until": max(0, until_s)}
    for kind, parameter, source in (("ip", "ips", ADDRESSES), ("domain", "domains", DOMAINS)):
        text = sql.format(used=source.format(columns=columns))
        for part in portions(store, names[kind]):
            yield from store.rows(text, {**asked, parameter: part})
