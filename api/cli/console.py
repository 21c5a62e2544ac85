"""`repmon console`: the console alone, for a deployment that is there."""

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_line
from api.cli.serving import serve
from api.console.service import ConsoleService, console_lines
from api.text.consoles import out
from schemas.settings import Settings


@command("repmon -c repmon.toml console", "repmon console --port 8090")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Its port; else as `api.port` is set.")
@with_reached
def console(settings: Settings, port: int | None) -> None:
    """Serve the operators' console of a deployment.

    It looks at the store that the settings name, or at that of the `repmon up` that runs here. On a terminal a link is
    printed that signs in once.
    """
    if port is not None:
        settings = msgspec.structs.replace(settings, api=msgspec.structs.replace(settings.api, port=port))

    def tell(url: str, service: ConsoleService) -> None:
        for line in console_lines(url, service, link=out.is_terminal):
            print_line(line)

    serve(settings, (), "console", tell)
