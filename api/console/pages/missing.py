"""What is not there."""

from http import HTTPStatus

from fastapi import Response

from api.console.routing import console_router
from api.console.visits import Watching
from api.http.problems import ApiError

router = console_router()


@router.api_route("/{rest:path}", methods=["GET", "POST"])
async def no_such_page(rest: str, visit: Watching) -> Response:
    """A page that says so."""
    raise ApiError(HTTPStatus.NOT_FOUND, "there is no such page")
