"""Which customers changed (topic `reputation.changes`): the monitor's work list, small and repeatable."""

import msgspec


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """New counts for `customer` were stored at `stored_ms` (epoch ms, UTC)."""

    customer: str
    stored_ms: int
