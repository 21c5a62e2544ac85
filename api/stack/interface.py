"""The HTTP interface inside the event loop of a stack."""

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn

from api.http.app import create_app
from api.http.metrics import Stages
from api.stack.policy import PolicyInForce
from schemas.policy import Policy
from schemas.settings import Settings
from streams.io.broker import BrokerError
from streams.io.store import open_store

#: How long a stop waits for requests that are being answered, in s.
GRACE_S = 1


class Interface:
    """Serves on the address of the settings, from `start` to `stop`."""

    def __init__(self, settings: Settings, stages: Stages, in_force: Policy) -> None:
        self._app = create_app(
            lambda: open_store(settings.clickhouse),
            expired_is_failure=in_force.expired_is_failure,
            policy=PolicyInForce(settings, in_force),
            stages=stages,
            owners=settings.blocklists.dedicated_pools,
        )
        config = uvicorn.Config(
            self._app,
            host=settings.api.host,
            port=settings.api.port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=GRACE_S,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self._host = settings.api.host
        self.port = settings.api.port

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self._host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            BrokerError: the port is taken.
        """
        self._task = asyncio.create_task(self._serve())
        while not self._server.started:
            if self._task.done():
                raise BrokerError(f"api: port {self.port} cannot be used")
            await asyncio.sleep(0.01)
        self.port = int(self._server.servers[0].sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port, and the connections to the store."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._app.state.service.stores.close()

    async def _serve(self) -> None:
        with contextlib.suppress(SystemExit):
            await self._server.serve()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the stack's to handle."""
        yield
