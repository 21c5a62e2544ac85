"""How an application comes to answer groups of routes."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI


def add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Have the application answer the routes of these groups as they are.

    `include_router` would have each worked out anew for this application by the first request that passes it: what it
    takes and gives, a tenth of a second of a core for all of them (FastAPI 0.165). Nothing is added to them here.
    """
    for each in routers:
        app.router.routes.extend(each.routes)
