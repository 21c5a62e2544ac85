"""The console becomes a part of the interface's application."""

from fastapi import FastAPI

from api.console.fleet.reader import FleetReader
from api.console.fleet.watch import FleetWatch
from api.console.pages.all import ROUTERS
from api.console.service import ConsoleService
from api.console.sessions import Sessions
from api.http.access import Service
from api.http.routing import add_routes

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def add_console(app: FastAPI) -> ConsoleService:
    """Have an application of `api.http.app` answer `/console` too."""
    service = app.state.service
    assert isinstance(service, Service)  # noqa: S101
    settings = service.settings.console
    console = ConsoleService(
        sessions=Sessions(
            service.clock, round(settings.idle_minutes * MINUTE_MS), round(settings.session_hours * HOUR_MS)
        ),
        settings=settings,
        fleet=FleetWatch(FleetReader(service), service.clock, settings.refresh_s),
    )
    service.closing.append(console.fleet.close)
    app.state.console = console
    add_routes(app, ROUTERS)
    return console
