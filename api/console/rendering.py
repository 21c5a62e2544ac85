"""A view becomes a page: templates of Jinja2, which writes whatever it is given as text."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console import assets, wording
from api.console.navigation import NAVIGATION
from api.console.visits import Visit
from schemas.times import utc_now_ms

TEMPLATES = Path(__file__).parent / "templates"
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


def customer_url(name: str) -> str:
    """The page of a customer. Browsers take a dot or two for folders, so such a name is asked for."""
    if name in (".", ".."):
        return f"/console/customers?{urlencode({'name': name})}"
    return f"/console/customers/{quote(name, safe='')}"


@cache
def environment() -> Environment:
    """The templates, read once each."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"asset": assets.address, "navigation": NAVIGATION}
    made.filters |= wording.FILTERS | {"customer_url": customer_url}
    return made


def render(name: str, **values: Any) -> str:
    """A template, or a part of a page, as text."""
    return environment().get_template(name).render(**values)


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
