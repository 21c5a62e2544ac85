"""The id of this deployment: made once, by whichever stage asks first, and kept in the store for all of them."""

import secrets
import time
from collections.abc import Callable

from schemas.deployment import Deployment
from schemas.times import utc_now_ms, utc_time
from streams.io.store import Store, StoreError

#: Should there ever be two, all agree on one.
FIRST = "SELECT id FROM deployment ORDER BY made, id LIMIT 1"
#: The store takes the INSERT of only one of several that make it at once.
ONCE = {"insert_deduplicate": 1, "insert_deduplication_token": "the deployment's id"}
#: How long another replica may take until it has the row (s), and how often it is asked.
REPLICATED_S, LOOK_S = 10.0, 0.1


def known_deployment(store: Store, name: str = "") -> Deployment:
    """This deployment; without an id where no stage has made one yet.

    Raises:
        StoreError: the store failed, or it is not migrated.
    """
    return Deployment(id=_first(store), name=name)


def read_deployment(store: Store, name: str = "", pause: Callable[[float], None] = time.sleep) -> Deployment:
    """This deployment, with the `name` that the settings give it. Makes its id where there is none.

    Raises:
        StoreError: the store failed, or it is not migrated.
    """
    if (known := known_deployment(store, name)).id:
        return known
    row = {"id": secrets.token_hex(8), "made": utc_time(utc_now_ms())}
    store.insert("deployment", {column: [value] for column, value in row.items()}, ONCE)
    for _ in range(round(REPLICATED_S / LOOK_S)):
        if (known := known_deployment(store, name)).id:
            return known
        pause(LOOK_S)
    raise StoreError(f"{store.where}: the id of this deployment was stored and is not there")


def _first(store: Store) -> str:
    return next((str(found) for (found,) in store.rows(FIRST)), "")
