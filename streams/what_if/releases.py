"""What operators released of what was held, as it is replayed: the alert ends, and its rule judges mail sent since."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from streams.io.store import Store
from streams.what_if.timeline import PastRelease

#: The alerts that operators released, with the time (epoch ms) of the decision.
RELEASES = """
SELECT DISTINCT customer, scope, rule, JSONExtractInt(event, 'data', 'decided', 'time_ms') AS decided
FROM alerts
WHERE kind = 'resolved' AND cause = 'operator' AND customer != '' AND decided > 0
    AND time >= fromUnixTimestamp64Milli({since:Int64}) AND decided < {until:Int64}
ORDER BY customer, decided
"""


def read_releases(store: Store, since_ms: int, until_ms: int) -> Mapping[str, Sequence[PastRelease]]:
    """By customer what was released from `since_ms` on and before `until_ms` (epoch ms), oldest first.

    Raises:
        StoreError: the store failed.
    """
    found: dict[str, list[PastRelease]] = defaultdict(list)
    for customer, scope, rule, time_ms in store.rows(RELEASES, {"since": since_ms, "until": until_ms}):
        found[str(customer)].append(PastRelease(str(scope), str(rule), int(time_ms)))
    return found
