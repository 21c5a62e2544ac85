"""A view becomes a page: a template, filled for who looks, and the headers that every page has."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse

from api.console.templating import render
from api.console.viewer import visitor
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


def framed_by(request: Request) -> tuple[str, ...]:
    """The sites that may show what is asked for in a frame; none but of a frame's own page."""
    return tuple(getattr(request.state, "framed_by", ()))


def frame_headers(origins: tuple[str, ...]) -> dict[str, str]:
    """What a page in a frame of one of these sites has instead of `HEADERS`; nothing without any."""
    if not origins:
        return {}
    return {
        "Content-Security-Policy": POLICY.replace(
            "frame-ancestors 'none'", f"frame-ancestors {' '.join(origins)}"
        ).replace("form-action 'self'", "form-action 'none'"),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def page(
    request: Request, name: str, view: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The answer: the template `name` of a view, for who looks."""
    visited = visitor(request)
    text = render(
        name,
        view=view,
        visit=visited,
        path=request.url.path,
        now_ms=visited.now_ms if visited else utc_now_ms(),
        theme=request.cookies.get("repmon_theme", ""),
    )
    return HTMLResponse(text, status, HEADERS | dict(headers or {}))
