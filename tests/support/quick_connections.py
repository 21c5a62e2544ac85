"""Connections to the embedded engine that do not ask for its 1,400 settings each time.

The driver asks for them whenever one is opened, which takes as long as ten questions, and tests open a thousand. What
it makes of the answer depends on the engine, one and the same throughout a process, and on which settings a connection
is given. Whether the engine answers, and has the database, is asked of every connection.
"""

from typing import Any

from clickhouse_connect.driver._backend.models import ClientConfig
from clickhouse_connect.driver._backend.orchestration import InitializationResult, init_sequence, run_sync
from clickhouse_connect.driver._chdbclient import ChdbClient

HERE = "SELECT 1"

_known: dict[tuple[str, frozenset[str]], InitializationResult] = {}


def connect_quickly() -> None:
    """Do so from now on in this process."""
    ChdbClient._init_common_settings = _begin  # type: ignore[assignment,method-assign]


def _begin(client: ChdbClient, tz_source: Any) -> None:
    given = client._initial_settings or {}
    kind = (str(tz_source), frozenset(given))
    if kind in _known:
        client._apply_init_result(_known[kind])
        client.query(HERE)
        return
    config = ClientConfig(settings=given, timezone_policy=tz_source)
    _known[kind] = run_sync(init_sequence(config), client._execute_operation)
    client._apply_init_result(_known[kind])
