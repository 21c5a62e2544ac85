"""Counts by customer and mailbox provider, as a flush writes them."""

from datetime import UTC, datetime
from typing import Any

from streams.io.store import Store


def put_counts(store: Store, rows: list[dict[str, Any]]) -> None:
    """Counts by provider; what a row lacks is 0."""
    names = ("delivered", "block", "hard", "deferred")
    store.insert(
        "counts",
        {
            "dimension": ["provider"] * len(rows),
            "source": [f"s{place}" for place in range(len(rows))],
            "bucket": [datetime.fromtimestamp(row["at"], UTC) for row in rows],
            "value": [row["provider"] for row in rows],
            "customer": [row["customer"] for row in rows],
            **{name: [row.get(name, 0) for row in rows] for name in names},
        },
    )
