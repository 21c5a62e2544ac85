"""What happened to the intake and operators should know of: rows of the table `incidents`, which nobody deletes."""

from typing import Literal

from schemas.times import utc_time
from streams.io.store import Store

#: Messages were gone before they were read; a topic was deleted while it was read; a topic is read no more, since too
#: much of it cannot be read; what is stored is not what its offsets promise.
Kind = Literal["gap", "deleted", "unreadable", "missing"]


def record(store: Store, kind: Kind, source: str, lost: int, detail: str, now_ms: int) -> None:
    """Keep it, at `now_ms` (epoch ms). `lost` is how many messages nobody can read any more. The same of the same
    source is one row.

    Raises:
        StoreError: the store failed.
    """
    row = {"time": utc_time(now_ms), "kind": kind, "source": source, "lost": lost, "detail": detail}
    store.insert("incidents", {name: [value] for name, value in row.items()})
