"""The commands `repmon listings ...`: what is or was on blocklists, and whom it is to be blamed on."""

import time
from typing import Annotated

import msgspec
import typer

from api import commands
from api.dead_letters_cli import harmless, print_line
from api.listings_text import line, lines
from jobs.embedded.folder import reached
from schemas.settings import Settings, SettingsError
from streams.listing_causes import CausedListing, current_causes
from streams.store import open_store

app = typer.Typer(invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line: all numbers, times in epoch ms.")]
#: Everything that is kept.
EVER = "400d"


@app.callback()
def list_listings(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those in force.")] = False,
    since: Annotated[str, typer.Option("--since", help="Those too that ended in the last, for example, 30d.")] = "30d",
    customer: Annotated[str, typer.Option("--customer", help="Only of what this customer sent through.")] = "",
    as_json: AsJson = False,
) -> None:
    """What is on blocklists, and whom it is to be blamed on; latest first.

    Of shared addresses and domains the likeliest causes are named, each with its share. It is evidence, not a verdict:
    no alert comes of it unless the policy has a rule of the metric `attributed_listing`.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = _found(reached(ctx.obj), since)
    for each in found:
        if only_open and each.ended_ms is not None:
            continue
        if customer and customer not in {cause.customer for cause in each.causes}:
            continue
        print_line(msgspec.json.encode(each).decode() if as_json else harmless(line(each)))


@app.command("show")
def show(
    ctx: typer.Context,
    resource: Annotated[str, typer.Argument(help="The address or domain.")],
    zone: Annotated[str, typer.Argument(help="The blocklist's name.")],
    as_json: AsJson = False,
) -> None:
    """One listing with its ranking.

    It is the latest of the resource on the list. Ranked is everybody who used the resource in the 48 hours before.
    """
    found = [each for each in _found(reached(ctx.obj), EVER) if (each.resource, each.zone) == (resource, zone)]
    if not found:
        raise SettingsError(
            f"{harmless(resource)} was never seen on {harmless(zone)}; `repmon listings` shows what was"
        )
    if as_json:
        print_line(msgspec.json.encode(found[0]).decode())
        return
    for each in lines(found[0]):
        print_line(harmless(each))


def _found(settings: Settings, since: str) -> list[CausedListing]:
    ago_s = commands.seconds(since, "--since") or 0.0
    store = open_store(settings.clickhouse)
    now_ms = time.time_ns() // 1_000_000
    found = current_causes(store, now_ms - round(ago_s * 1000), settings.blocklists.dedicated_pools)
    store.close()
    return found
