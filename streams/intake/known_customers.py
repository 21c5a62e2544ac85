"""Whom the store knows when a worker starts: all others are new (streams/intake/admission.py)."""

from schemas.times import HOUR_MS
from streams.intake.admission import KnownCustomers
from streams.io.store import Store

#: Who was judged, and who was made known (`repmon customers`).
KNOWN = "SELECT customer FROM standings UNION DISTINCT SELECT customer FROM customers"


def learn_customers(known: KnownCustomers, store: Store, now_ms: int) -> None:
    """Add those who are stored; if there are none, everybody is admitted for an hour.

    Raises:
        StoreError: the store failed.
    """
    stored = {str(name) for (name,) in store.rows(KNOWN)}
    known.names |= stored
    known.open_until_ms = 0 if stored else now_ms + HOUR_MS
