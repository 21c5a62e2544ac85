"""A connection that is opened quickly, as those of tests are, is as one that the driver opens by itself."""

from typing import Any

import pytest
from clickhouse_connect.driver._chdbclient import ChdbClient
from clickhouse_connect.driver.client import Client

from schemas.settings import ClickHouse
from streams.io.store import QueryLimits, Store, StoreError, open_store

LIMITS = QueryLimits(seconds=5, rows=10, bytes=10_000, memory=10**9, result_rows=5, result_bytes=1_000)


def known_of(store: Store) -> dict[str, Any]:
    """What the driver holds of the engine and the connection; the zone by its name, since each is an object anew. Of
    settings it reads which may be changed; one of them is the database of the first connection."""
    client = store._client
    names = ("server_version", "_dst_safe", "_apply_server_tz", "_client_settings")
    settings = {name: each for name, each in client.server_settings.items() if name != "database"}
    return {name: getattr(client, name) for name in names} | {"zone": str(client.server_tz), "settings": settings}


@pytest.mark.parametrize("limits", [None, LIMITS], ids=["without limits", "with limits"])
def test_it_knows_what_the_driver_asks_for(store_settings: ClickHouse, limits: QueryLimits | None) -> None:
    open_store(store_settings, limits=limits).close()
    with open_store(store_settings, limits=limits) as quick, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChdbClient, "_init_common_settings", Client._init_common_settings)
        with open_store(store_settings, limits=limits) as own:
            assert known_of(quick) == known_of(own)
            assert quick.rows("SELECT currentDatabase(), now('UTC') > 0") == own.rows(
                "SELECT currentDatabase(), now('UTC') > 0"
            )


def test_database_that_is_not_there_is_met_when_it_is_opened(store_settings: ClickHouse) -> None:
    open_store(store_settings).close()
    with pytest.raises(StoreError, match="UNKNOWN_DATABASE"):
        open_store(store_settings, database="nowhere")
