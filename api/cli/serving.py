"""The HTTP interface in a process of its own, until it is stopped."""

import contextlib
from collections.abc import Callable, Sequence

import uvicorn
from fastapi import APIRouter

from api.console.service import ConsoleService
from api.http.bounded import bounded
from api.http.health import StageHealth
from api.http.listening import listen
from api.http.metrics import metrics_apart
from api.stack.application import application
from api.stack.operations import operations
from api.stack.policy import policy_in_force
from jobs.embedded.reach import running_api
from schemas.settings import Settings
from streams.io.store import open_store


def serve(
    settings: Settings,
    routers: Sequence[APIRouter],
    stage: str,
    tell: Callable[[str, ConsoleService], None] = lambda _url, _console: None,
) -> None:
    """Serve groups of routes, and the console. `tell` is given the interface's address once it listens."""
    listening = listen(settings.api.host, settings.api.port, stage)
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store).policy
    store.close()
    health = StageHealth("api", settings)
    app, console = application(settings, routers, health, in_force)
    app.state.operations = operations(settings, lambda: running_api(settings))
    health.start()
    metrics = metrics_apart(settings, health.metrics, health.verdict)
    with listening, contextlib.closing(metrics), contextlib.suppress(KeyboardInterrupt):
        host, port = listening.getsockname()[:2]
        tell(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", console)
        uvicorn.Server(uvicorn.Config(app, **bounded(), log_level="warning")).run(sockets=[listening])
