"""`repmon api`: the HTTP interface alone."""

import contextlib

import uvicorn

from api.cli.lazy import command
from api.cli.options import with_settings
from api.console.app import add_console
from api.http.app import create_app
from api.http.bounded import bounded
from api.http.health import StageHealth
from api.http.listening import listen
from api.http.metrics import metrics_apart
from api.http.pool import query_limits
from api.routes.all import ROUTERS
from api.stack.policy import PolicyInForce, policy_in_force
from schemas.settings import Settings
from streams.io.store import open_store


@command("repmon -c repmon.toml api")
@with_settings
def api(settings: Settings) -> None:
    """Serve the HTTP interface."""
    listening = listen(settings.api.host, settings.api.port, "api")
    store = open_store(settings.clickhouse)
    in_force = policy_in_force(settings, store).policy
    store.close()
    health = StageHealth("api", settings)
    app = create_app(
        lambda: open_store(settings.clickhouse, limits=query_limits(settings.api)),
        ROUTERS,
        expired_is_failure=in_force.expired_is_failure,
        policy=PolicyInForce(settings, in_force),
        stages=health.metrics,
        judged=health.verdict,
        owners=settings.blocklists.dedicated_pools,
        settings=settings,
    )
    add_console(app)
    health.start()
    metrics = metrics_apart(settings, health.metrics, health.verdict)
    with listening, contextlib.closing(metrics), contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, **bounded(), log_level="warning")).run(sockets=[listening])
