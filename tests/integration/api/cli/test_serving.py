"""The interface by itself can do what its console offers."""

import pytest
import uvicorn

from api.cli import serving
from api.console.operations import Operations
from api.routes.all import ROUTERS
from schemas.settings import Api, ClickHouse, Settings


def test_console_of_an_interface_alone_can_ask_for_the_status(
    monkeypatch: pytest.MonkeyPatch, store_settings: ClickHouse
) -> None:
    ran: list[uvicorn.Server] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: ran.append(self))
    settings = Settings(clickhouse=store_settings, api=Api(port=0))
    serving.serve(settings, ROUTERS, "api")
    (server,) = ran
    assert isinstance(server.config.app.state.operations, Operations)  # type: ignore[union-attr]
