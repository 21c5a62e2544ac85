"""Style and script, for everybody; and `/`, where browsers find the console."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.console.assets import assets
from api.console.routing import console_router
from api.http.problems import ApiError

router = APIRouter()
_files = console_router()


@router.get("/", include_in_schema=False)
async def get_root(request: Request) -> Response:
    """Leads browsers to the console, and tells others that there is nothing here."""
    if "text/html" not in request.headers.get("accept", ""):
        raise ApiError(HTTPStatus.NOT_FOUND, "Not Found")
    return RedirectResponse("/console/", HTTPStatus.SEE_OTHER, {"Vary": "Accept"})


@router.get("/console", include_in_schema=False)
async def get_console() -> Response:
    """The console without its last slash."""
    return RedirectResponse("/console/", HTTPStatus.SEE_OTHER)


@_files.get("/static/{name}")
async def get_asset(name: str) -> Response:
    """A file. Its address changes with it, so it may be kept."""
    found = assets().get(name)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "there is no such file")
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


router.include_router(_files)
