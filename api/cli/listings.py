"""The commands `repmon listings ...`: what is or was on blocklists, and whom it is attributed to."""

from typing import Annotated, Any

import msgspec
import typer

from api.cli.durations import seconds
from api.cli.printing import print_json, print_line
from api.text.listings import line, lines, looked_at
from jobs.blocklists.last_looks import LastLook, last_looks
from jobs.embedded.folder import reached
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.io.store import open_store
from streams.listings.causes import CausedListing, current_causes

app = typer.Typer(invoke_without_command=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line: all numbers, times in epoch ms.")]
#: Everything that is kept.
EVER = "400d"


class ShownListing(CausedListing, frozen=True, kw_only=True):
    """A listing as it is shown. `looked_ms` (epoch ms, UTC) is when its list last gave an answer about it, while it is
    in force; `no_answer` is why it gave none since."""

    looked_ms: int | None = None
    no_answer: str = ""

    def looked(self, now_ms: int) -> str:
        """How old this knowledge is; empty where it is over."""
        return "" if self.looked_ms is None else looked_at(LastLook(self.looked_ms, self.no_answer), now_ms)


@app.callback()
def list_listings(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those in force.")] = False,
    since: Annotated[
        str, typer.Option("--since", help="Also those that ended in this last period, for example 30d.")
    ] = "30d",
    customer: Annotated[str, typer.Option("--customer", help="Only of what this customer sent through.")] = "",
    as_json: AsJson = False,
) -> None:
    """What is on blocklists, and whom it is attributed to; latest first.

    Of shared addresses and domains the likeliest causes are named, each with its share. It is evidence, not a verdict:
    no alert comes of it unless the policy has a rule of the metric `attributed_listing`.
    """
    if ctx.invoked_subcommand is not None:
        return
    now_ms = utc_now_ms()
    for each in _found(reached(ctx.obj), since, now_ms):
        if only_open and each.ended_ms is not None:
            continue
        if customer and customer not in {cause.customer for cause in each.causes}:
            continue
        if as_json:
            print_json(each)
        else:
            print_line(line(each, each.looked(now_ms)))


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
    now_ms = utc_now_ms()
    found = [each for each in _found(reached(ctx.obj), EVER, now_ms) if (each.resource, each.zone) == (resource, zone)]
    if not found:
        raise SettingsError(f"{resource} was never seen on {zone}; `repmon listings` shows what was")
    if as_json:
        print_json(found[0])
        return
    for each in lines(found[0], found[0].looked(now_ms)):
        print_line(each)


def _found(settings: Settings, since: str, now_ms: int) -> list[ShownListing]:
    ago_s = seconds(since, "--since") or 0.0
    store = open_store(settings.clickhouse)
    found = current_causes(store, now_ms - round(ago_s * 1000), settings.blocklists.dedicated_pools)
    looks = last_looks(store)
    store.close()
    return [_shown(each, looks.get((each.resource, each.zone)) if each.ended_ms is None else None) for each in found]


def _shown(listing: CausedListing, look: LastLook | None) -> ShownListing:
    fields: dict[str, Any] = msgspec.structs.asdict(listing)
    if look is None:
        return ShownListing(**fields)
    return ShownListing(**fields, looked_ms=look.looked_ms, no_answer=look.no_answer)
