"""`repmon top`: the worst customers, live, or once."""

from typing import Annotated

import typer

from api.cli import commands
from api.cli.printing import print_json, print_line
from api.stack.worst_now import WorstNow
from api.text.top import AROUND, plain, table
from jobs.embedded.folder import reached
from schemas.times import utc_now_ms
from streams.io.store import open_store

REFRESH_S = 1.0


def show_top(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many lines.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Once, one JSON object a line; rates are ratios.")] = False,
) -> None:
    """The worst customers, live: where each stands, for how long, by which rule, and the rates over 24 h.

    A rate of too few to be judged by is shown as how many of how many, and `*` marks whom an override holds for.
    `repmon explain` says more of each. In a pipe it is printed once, with names in full.
    """
    settings, stop, out = reached(ctx.obj), commands.until_signalled(), commands.out
    store = open_store(settings.clickhouse)
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
