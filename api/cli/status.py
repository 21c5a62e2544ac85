"""`repmon status`: how the whole installation is, on one page."""

import click
import msgspec

from api.cli.lazy import command
from api.cli.options import with_settings
from api.cli.printing import print_json, print_line
from api.stack.status import WATCH_S, read_status
from api.text.status import exit_code, page, status_lines
from jobs.embedded.reach import reached, running_api
from schemas.settings import Settings


@command("repmon status", "repmon status --stage http://ingest:9100 --stage http://monitor:9100", name="status")
@click.option(
    "--stage", "stages", multiple=True, help="Address of a stage that must be well, http://HOST:PORT; may be repeated."
)
@click.option(
    "--watch", type=click.FloatRange(0.1, 60), default=WATCH_S, show_default=True, help="Seconds to measure rates over."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: parts and figures; times are epoch ms.")
@with_settings
def show_status(written: Settings, stages: tuple[str, ...], watch: float, as_json: bool) -> None:
    """Show on one page how the installation is.

    Broker, topics, store, disk, lag, rates, last flush and judgement, dead letters, blocklists, incidents, holds, and
    the stages that answer here; and what to do about what is not well. The exit code is 0 if all is well, 1 if
    something is not, 2 if nobody can tell, as where neither broker nor store answers.
    """
    settings = reached(written)
    seen = read_status(settings, running_api(settings), stages, watch_s=watch)
    lines = status_lines(seen)
    code = exit_code(lines)
    if as_json:
        print_json({"exit_code": code, "parts": lines, "seen": msgspec.to_builtins(seen)})
    else:
        for line in page(seen, lines):
            print_line(line)
    if code:
        raise click.exceptions.Exit(code)
