"""The HTTP interface and the console as one application, by the settings: of a stack, and in a process of its own."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from api.console.app import add_console
from api.console.service import ConsoleService
from api.http.app import create_app
from api.http.health import StageHealth
from api.http.pool import query_limits
from api.stack.policy import PolicyInForce
from schemas.policy import Policy
from schemas.settings import Settings
from streams.io.store import open_store


def application(
    settings: Settings, routers: Sequence[APIRouter], health: StageHealth, in_force: Policy
) -> tuple[FastAPI, ConsoleService]:
    """Groups of routes and the console over the store of the settings, judged by a policy until another is applied."""
    app = create_app(
        lambda: open_store(settings.clickhouse, limits=query_limits(settings.api)),
        routers,
        expired_is_failure=in_force.expired_is_failure,
        policy=PolicyInForce(settings, in_force),
        stages=health.metrics,
        judged=health.verdict,
        owners=settings.blocklists.dedicated_pools,
        settings=settings,
    )
    return app, add_console(app)
