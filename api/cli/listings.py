"""The commands `repmon listings ...`: what is or was on blocklists, and whom it is attributed to."""

from typing import Any

import click
import msgspec

from api.cli.durations import since_ms
from api.cli.lazy import command, group
from api.cli.options import json_lines, with_reached
from api.cli.printing import note_if_none, print_json, print_line
from api.cli.table import LISTINGS
from api.text.listings import line, lines, looked_at
from jobs.blocklists.last_looks import LastLook, last_looks
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms
from streams.io.store import open_store
from streams.listings.causes import CausedListing, current_causes
from streams.listings.left_out import with_incidents

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


@group("repmon listings --open", "repmon listings --customer acme --since 90d", name="listings", commands=LISTINGS)
@click.option("--open", "only_open", is_flag=True, help="Only those in force.")
@click.option(
    "--since",
    default="30d",
    show_default=True,
    help="Also those that ended in this last period, for example 30d.",
)
@click.option("--customer", default="", help="Only of what this customer sent through.")
@json_lines
@with_reached
def list_listings(settings: Settings, only_open: bool, since: str, customer: str, as_json: bool) -> None:
    """Show what is on blocklists, and whom it is attributed to.

    Latest first. Of shared addresses and domains the likeliest causes are named, each with its share. It is evidence,
    not a verdict: no alert comes of it unless the policy has a rule of the metric `attributed_listing`.
    """
    now_ms = utc_now_ms()
    found = [
        each
        for each in _found(settings, since, now_ms)
        if not (only_open and each.ended_ms is not None)
        and (not customer or customer in {cause.customer for cause in each.causes})
    ]
    note_if_none(found, "no listings")
    for each in found:
        if as_json:
            print_json(each)
        else:
            print_line(line(each, each.looked(now_ms)))


@command("repmon listings show 192.0.2.1 zen.spamhaus.org", name="show")
@click.argument("resource")
@click.argument("zone")
@json_lines
@with_reached
def show(settings: Settings, resource: str, zone: str, as_json: bool) -> None:
    """Show one listing with its likeliest causes.

    RESOURCE is the address or domain, ZONE the blocklist's name. It is the latest of the resource on the list. Ranked
    is everybody who used the resource in the 48 hours before.
    """
    now_ms = utc_now_ms()
    found = [each for each in _found(settings, EVER, now_ms) if (each.resource, each.zone) == (resource, zone)]
    if not found:
        raise SettingsError(f"{resource} was never seen on {zone}; `repmon listings` shows what was")
    if as_json:
        print_json(found[0])
        return
    for each in lines(found[0], found[0].looked(now_ms)):
        print_line(each)


def _found(settings: Settings, since: str, now_ms: int) -> list[ShownListing]:
    store = open_store(settings.clickhouse)
    found = current_causes(store, since_ms(since, "--since", now_ms), settings.blocklists.dedicated_pools)
    found = with_incidents(store, found)
    looks = last_looks(store)
    store.close()
    return [_shown(each, looks.get((each.resource, each.zone)) if each.ended_ms is None else None) for each in found]


def _shown(listing: CausedListing, look: LastLook | None) -> ShownListing:
    fields: dict[str, Any] = msgspec.structs.asdict(listing)
    if look is None:
        return ShownListing(**fields)
    return ShownListing(**fields, looked_ms=look.looked_ms, no_answer=look.no_answer)
