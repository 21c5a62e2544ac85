"""What one customer has to do with listings: its own mail through what is listed, before and since. Nobody else's."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.times import FOREVER_S, MINUTE_S
from streams.io.store import Store
from streams.listings.causes import COUNTED, CausedListing, ListingKey, runs
from streams.listings.exposure import SENT_MAIL
from streams.listings.intervals import USED_WITHIN_S
from streams.listings.resource_use import used

#: A minute is exposed from the one in which the listing was first seen.
MAIL = f"""
SELECT place, toInt64(sumIf({SENT_MAIL}, bucket < toDateTime(began))),
    toInt64(sumIf({SENT_MAIL}, bucket >= toDateTime(intDiv(began, {MINUTE_S}) * {MINUTE_S})))
FROM ({{used}}) AS counted
INNER JOIN
(
    SELECT each.1 AS resource, each.2 AS began, each.3 AS ended, each.4 AS place
    FROM (SELECT arrayJoin(arrayZip({{{{names:Array(String)}}}}, {{{{begins:Array(UInt32)}}}},
        {{{{ends:Array(UInt32)}}}}, arrayEnumerate({{{{names:Array(String)}}}}))) AS each)
) AS asked ON asked.resource = counted.resource
WHERE customer = {{{{customer:String}}}}
    AND bucket >= toDateTime(began - {USED_WITHIN_S}) AND bucket < toDateTime(ended)
GROUP BY place
"""  # noqa: S608 - made of names from this project only


class Exposure(NamedTuple):
    """Mail that one customer sent through a resource: in the 48 h before it was listed, and while it was."""

    before: int
    exposed: int


def exposures(store: Store, customer: str, listings: Sequence[CausedListing]) -> dict[ListingKey, Exposure]:
    """The customer's mail through each of the resources, by listing; absent where there was none.

    Raises:
        StoreError: the store failed.
    """
    found: dict[ListingKey, Exposure] = {}
    for some in runs(store, listings):
        begins = [each.began_ms // 1000 for each in some]
        asked = {
            "customer": customer,
            "names": [each.resource for each in some],
            "begins": begins,
            "ends": [FOREVER_S if each.ended_ms is None else each.ended_ms // 1000 for each in some],
        }
        resources = [(each.kind, each.resource) for each in some]
        columns = f"customer, bucket, {', '.join(COUNTED)}"
        rows = used(store, MAIL, columns, resources, min(begins) - USED_WITHIN_S, FOREVER_S, asked)
        for place, before, exposed in rows:
            if int(before) > 0 or int(exposed) > 0:
                found[some[int(place) - 1].key] = Exposure(max(0, int(before)), max(0, int(exposed)))
    return found
