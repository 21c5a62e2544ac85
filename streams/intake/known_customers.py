"""Whom the store knows when a worker starts, and by which names: all others are new (streams/intake/admission.py,
streams/intake/new_names.py)."""

import numpy as np

from schemas.times import HOUR_MS
from streams.intake.admission import KnownCustomers
from streams.intake.new_names import LAST, KnownNames
from streams.io.store import Store

#: Who was judged, and who was made known (`repmon customers`).
KNOWN = "SELECT customer FROM standings UNION DISTINCT SELECT customer FROM customers"
#: Hashes of what names are known as (`known_as`). They are told apart before they are hashed, by groups, of
#: which the sums by the hour have fewer rows than the table.
NAMES = """
WITH streams AS (SELECT customer, stream FROM counts WHERE dimension = 'provider' GROUP BY customer, stream)
SELECT DISTINCT arrayJoin([
    xxh3(concat('streams', char(0), customer, char(0), stream)),
    xxh3(concat('sub_accounts', char(0), customer, char(0), splitByChar('/', stream)[1]))
]) AS hash FROM streams
UNION DISTINCT
SELECT xxh3(concat(transform(toString(dimension), ['ip', 'pool'], ['addresses', 'pools'], 'domains'), char(0), value))
FROM (SELECT dimension, value FROM counts WHERE dimension IN ('ip', 'pool', 'from', 'dkim') GROUP BY dimension, value)
"""


def learn_customers(known: KnownCustomers, store: Store, now_ms: int) -> None:
    """Add those who are stored; if there are none, everybody is admitted for an hour.

    Raises:
        StoreError: the store failed.
    """
    stored = {str(name) for (name,) in store.rows(KNOWN)}
    known.names |= stored
    known.open_until_ms = 0 if stored else now_ms + HOUR_MS


def learn_names(known: KnownNames, store: Store, now_ms: int) -> None:
    """Know the names that are stored; if there are none, all are admitted for an hour.

    Raises:
        StoreError: the store failed.
    """
    blocks = [columns[0] for columns in store.blocks(NAMES)]
    known.stored = np.unique(np.concatenate([*blocks, LAST]))
    known.open_until_ms = 0 if blocks else now_ms + HOUR_MS
