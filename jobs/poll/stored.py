"""Readings in the store: written with whose they are, and read to be shown."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from jobs.poll.reading import ProviderReading, Source
from schemas.settings import Ingest
from schemas.times import DAY_MS, utc_time
from streams.adapt.owners import Owners
from streams.decisions.customers import read_customers
from streams.io.store import Store, portions

#: Who alone used a domain (and those below it) or an address of late.
SOLE_USERS = """
SELECT resource, any(customer) FROM
(
    SELECT DISTINCT
        arrayJoin(arrayFilter(
            each -> value = each OR (dimension != 'ip' AND endsWith(value, concat('.', each))),
            {resources:Array(String)}
        )) AS resource,
        customer
    FROM counts
    WHERE dimension IN ('ip', 'from', 'dkim') AND bucket >= toDateTime({since:UInt32}, 'UTC')
)
GROUP BY resource HAVING count() = 1
"""
#: Of each resource, measure and subject what was reported of the latest days.
REPORTS = """
SELECT source, resource, day, measure, about, customer, rate, below, number, said
FROM provider_reports FINAL
WHERE day >= {since:Date} AND ({customer:String} = '' OR customer = {customer:String})
    AND ({source:String} = '' OR source = {source:String})
ORDER BY source, resource, measure, about, day
"""
LAST_STORED = """
SELECT toInt64(toUnixTimestamp(max(updated))) * 1000 FROM provider_reports WHERE source = {source:String}
"""
#: A domain is whose it was in these days.
USED_DAYS = 30


class StoredReading(ProviderReading, frozen=True, kw_only=True):
    """A reading and whose it is; empty is nobody's alone."""

    customer: str = ""


def store_readings(store: Store, readings: Sequence[ProviderReading], ingest: Ingest, now_ms: int) -> frozenset[str]:
    """Write readings, and say whose they are. What was known of the same day is replaced.

    Raises:
        StoreError: the store failed.
    """
    if not readings:
        return frozenset()
    whose = owners_of(store, {each.resource for each in readings}, ingest, now_ms)
    columns: dict[str, list[object]] = {
        name: [getattr(each, name) for each in readings] for name in ProviderReading.__struct_fields__
    }
    columns["customer"] = [whose.get(each.resource, "") for each in readings]
    columns["updated"] = [utc_time(now_ms)] * len(readings)
    store.insert("provider_reports", columns)
    return frozenset(whose.values())


def last_stored_ms(store: Store, source: Source) -> int:
    """When something that a source reported was last stored (epoch ms, UTC); 0 where nothing is.

    Raises:
        StoreError: the store failed.
    """
    ((found,),) = store.rows(LAST_STORED, {"source": source})
    return int(found)


def owners_of(store: Store, resources: Iterable[str], ingest: Ingest, now_ms: int) -> dict[str, str]:
    """Whose each domain or address is: by the settings (`ingest.domain_owners`, `address_owners`), the list of
    customers (`repmon customers`), else who alone sent with it in the last 30 days.

    Raises:
        StoreError: the store failed.
    """
    registered = ((domain, each.customer) for each in read_customers(store) for domain in each.domains)
    said = Owners(ingest.domain_owners, ingest.address_owners).with_registered(registered)
    found, others = {}, []
    for each in sorted(resources):
        if owner := said.of_domain(each) or said.of_address(each):
            found[each] = owner
        else:
            others.append(each)
    since = max(0, now_ms - USED_DAYS * DAY_MS) // 1000
    for names in portions(store, others):
        found |= {str(name): str(whose) for name, whose in store.rows(SOLE_USERS, {"resources": names, "since": since})}
    return found


def read_reports(store: Store, today: date, days: int, *, customer: str = "", source: str = "") -> list[StoredReading]:
    """What was reported of the last `days`, by source, resource, measure and day.

    Raises:
        StoreError: the store failed.
    """
    asked = {"since": today - timedelta(days=days), "customer": customer, "source": source}
    return [msgspec.convert(row, StoredReading, strict=False) for row in store.records(REPORTS, asked)]
