"""The HTTP interface inside the event loop of a stack."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from api.console.service import console_lines
from api.http.bounded import bounded
from api.http.health import StageHealth
from api.http.metrics import metrics_apart
from api.routes.all import ROUTERS
from api.stack.application import application
from api.stack.operations import operations
from schemas.policy import Policy
from schemas.settings import Settings

#: How long a stop waits for requests that are being answered, in s.
GRACE_S = 1


class Interface:
    """Serves on a socket, which it closes, from `start` to `stop`."""

    def __init__(self, settings: Settings, listening: socket.socket, health: StageHealth, in_force: Policy) -> None:
        self._app, self._console = application(settings, ROUTERS, health, in_force)
        config = uvicorn.Config(
            self._app, **bounded(), log_level="warning", lifespan="off", timeout_graceful_shutdown=GRACE_S
        )
        self._server = _Server(config)
        self._metrics = metrics_apart(settings, health.metrics, health.verdict)
        self._task: asyncio.Task[None] | None = None
        self._listening = listening
        self._host = settings.api.host
        self.port = int(listening.getsockname()[1])
        self._app.state.operations = operations(settings, lambda: self.url)

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def console_lines(self, *, link: bool) -> list[str]:
        """Where the console is, and with `link` how to sign in at once."""
        return console_lines(self.url, self._console, link=link)

    async def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Close the port, and the connections to the store."""
        self._server.should_exit = True
        self._metrics.close()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._app.state.service.close)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the stack's to handle."""
        yield
