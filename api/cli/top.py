"""`repmon top`: the worst customers, live, or once."""

from collections.abc import Iterator

import click

from api.cli.lazy import command
from api.cli.options import with_reached
from api.cli.printing import print_json, print_line
from api.cli.stopping import until_signalled
from api.stack.worst_now import WorstNow
from api.text.consoles import out
from api.text.top import plain, table
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.store import open_store

#: How many lines, where they are printed once and where they can be scrolled.
PRINTED, SCROLLED = 20, 200


@command("repmon top", "repmon top --once --limit 5", name="top")
@click.option("--limit", type=click.IntRange(1), help="How many lines; 20, and 200 where they can be scrolled.")
@click.option("--once", is_flag=True, help="Print once and end.")
@click.option("--json", "as_json", is_flag=True, help="Once, one JSON object a line; rates are ratios.")
@with_reached
def show_top(settings: Settings, limit: int | None, once: bool, as_json: bool) -> None:
    """Show the worst customers, live.

    Where each stands, for how long, by which rule, and the rates over 24 h. A rate of too few to be judged by is shown
    as how many of how many, and `*` marks whom an override holds for. Enter says why a customer stands so, `/` looks
    for a name, `s` sorts, `?` shows all keys. In a pipe it is printed once, with names in full.
    """
    store, stop = open_store(settings.clickhouse), until_signalled()
    reader, title = WorstNow(settings, store), f"worst customers at {settings.clickhouse.url}"
    if as_json or not out.is_terminal:
        for each in reader.read(limit or PRINTED):
            if as_json:
                print_json(each)
            else:
                print_line(plain(each, utc_now_ms()))
        return
    if once:
        out.print(table(reader.read(limit or PRINTED), title, utc_now_ms(), out.width))
        return
    from api.stack.explain_now import explain_now
    from api.terminal.app import TopApp
    from api.text.explanation import lines

    def explained(whose: str) -> Iterator[str]:
        found = explain_now(settings, store, whose, utc_now_ms())
        return lines(found) if found is not None else iter([f"nothing is stored of {whose}"])

    TopApp(
        reader, explained, f"at {settings.clickhouse.url}", limit=limit or SCROLLED, clock=utc_now_ms, stop=stop
    ).run()
