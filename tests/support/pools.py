"""Mail of small customers through pools, in each dimension that it is counted in."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from streams.io.store import Store
from tests.support.api_client import HOUR, MINUTE, NOW

_sources = itertools.count()


class Sent(NamedTuple):
    """What a customer sent in one minute, through one pool to one provider."""

    customer: str
    back: int = 2 * HOUR
    pool: str = "shared-1"
    from_domain: str = ""
    provider: str = "yahoo"
    delivered: int = 0
    hard: int = 0
    block: int = 0
    expired: int = 0
    late_hard: int = 0
    complained: int = 0


MEASURES = Sent._fields[5:]


def put(store: Store, sent: Iterable[Sent]) -> None:
    """Count it, as a flush does, in each dimension."""
    rows = list(sent)
    columns = {
        "dimension": [name for name in ("provider", "pool", "from") for _ in rows],
        "value": [getattr(each, name) for name in ("provider", "pool", "from_domain") for each in rows],
        "customer": [each.customer for each in rows] * 3,
        "stream": ["news"] * len(rows) * 3,
        "bucket": [datetime.fromtimestamp((NOW - each.back) // MINUTE * MINUTE, UTC) for each in rows] * 3,
        "source": [f"pools{next(_sources)}" for _ in rows] * 3,
    }
    columns |= {name: [getattr(each, name) for each in rows] * 3 for name in MEASURES}
    store.insert("counts", columns)
