"""The templates of Jinja2, which writes whatever it is given as text."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console import assets, wording
from api.console.navigation import NAVIGATION

TEMPLATES = Path(__file__).parent / "templates"


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
