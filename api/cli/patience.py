"""The store for commands whose statements may take longer than those of a stage."""

import msgspec

from schemas.settings import ClickHouse
from streams.io.store import Store, open_store


def patient_store(settings: ClickHouse, most_s: float) -> Store:
    """The store, which is given so long (s) for a statement, or longer where the settings say so.

    Raises:
        StoreError: it cannot be reached, or refuses.
    """
    return open_store(msgspec.structs.replace(settings, timeout_s=max(most_s, settings.timeout_s)))
