"""`repmon api`: the HTTP interface alone."""

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.serving import serve
from api.routes.all import ROUTERS
from schemas.settings import Settings


@command("repmon -c repmon.toml api")
@with_settings
def api(settings: Settings) -> None:
    """Serve the HTTP interface, and the console with it."""
    serve(settings, ROUTERS, "api")
