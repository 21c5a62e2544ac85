"""A view becomes a page: a template, filled for who looks, and the headers that every page has."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.console.templating import render
from api.console.visits import Visit
from schemas.times import utc_now_ms

#: Nothing but our own files: no script or style in a page, no frame, nothing from elsewhere (docs/console.md).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page(
    request: Request, name: str, view: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The answer: the template `name` of a view, for who looks."""
    found = getattr(request.state, "visit", None)
    visited = found if isinstance(found, Visit) else None
    text = render(
        name,
        view=view,
        visit=visited,
        path=request.url.path,
        now_ms=visited.now_ms if visited else utc_now_ms(),
        theme=request.cookies.get("repmon_theme", ""),
    )
    return HTMLResponse(text, status, HEADERS | dict(headers or {}))
