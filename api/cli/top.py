"""`repmon top`: the worst customers, live, or once."""

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_json, print_line
from api.cli.stopping import until_signalled
from api.stack.worst_now import WorstNow
from api.text.consoles import out
from api.text.top import AROUND, plain, table
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.store import open_store

REFRESH_S = 1.0


@command("repmon top", "repmon top --once --limit 5", name="top")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many lines.")
@click.option("--once", is_flag=True, help="Print once and end.")
@click.option("--json", "as_json", is_flag=True, help="Once, one JSON object a line; rates are ratios.")
@with_reached
def show_top(settings: Settings, limit: int, once: bool, as_json: bool) -> None:
    """Show the worst customers, live.

    Where each stands, for how long, by which rule, and the rates over 24 h. A rate of too few to be judged by is shown
    as how many of how many, and `*` marks whom an override holds for. `repmon explain` says more of each. In a pipe it
    is printed once, with names in full.
    """
    store, stop = open_store(settings.clickhouse), until_signalled()
    reader, title = WorstNow(settings, store), f"worst customers at {settings.clickhouse.url}"
    if as_json or not out.is_terminal:
        for each in reader.read(limit):
            if as_json:
                print_json(each)
            else:
                print_line(plain(each, utc_now_ms()))
        return
    if once:
        out.print(table(reader.read(limit), title, utc_now_ms(), out.width))
        return
    from rich.live import Live

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            lines = reader.read(min(limit, max(1, out.height - AROUND)))
            live.update(table(lines, title, utc_now_ms(), out.width), refresh=True)
            stop.wait(REFRESH_S)
