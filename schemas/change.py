"""Which customers changed (topic `reputation.changes`): the monitor's work list, small and repeatable."""

import msgspec


class Change(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """New counts for `customer`, and for the `others`, were stored at `stored_ms` (epoch ms, UTC).

    All are of the partition that the message is in. One message for many customers is many times cheaper to read.
    """

    customer: str
    stored_ms: int
    others: list[str] = []
