"""The commands `repmon zones ...`: which blocklists are asked, and whether they can be trusted."""

import asyncio

import typer

from api.cli.printing import print_line
from jobs.blocklists.zone_tests import Tested, self_test
from jobs.blocklists.zone_trust import to_test
from schemas.blocklists import Zone, in_force
from schemas.settings import Blocklists, Settings

app = typer.Typer(help="The blocklists that are asked.", no_args_is_help=True)


@app.command("list")
def list_zones(ctx: typer.Context) -> None:
    """Every zone: what it holds, what a listing weighs, whether it is asked, and who may ask."""
    settings: Settings = ctx.obj
    for line in described(in_force(settings.blocklists)):
        print_line(line)


@app.command("test")
def test_zones(ctx: typer.Context) -> None:
    """Run the self-test of RFC 5782 on every zone that is asked; ends with 1 if one cannot be trusted,
    or not through one of the resolvers."""
    settings: Settings = ctx.obj
    lines, passed = tested(in_force(settings.blocklists), settings.blocklists)
    for line in lines:
        print_line(line)
    if not passed:
        raise typer.Exit(1)


def described(zones: tuple[Zone, ...]) -> list[str]:
    """A line for each zone. Keys are not shown."""
    return [
        f"{zone.zone:<{_wide(zones)}}  {', '.join(zone.holds):<10}  {zone.weight:<13}  {_access(zone):<30}  "
        f"{zone.policy}".rstrip()
        for zone in zones
    ]


def tested(zones: tuple[Zone, ...], settings: Blocklists) -> tuple[list[str], bool]:
    """A line for each zone and family, and whether all that are asked passed through every resolver.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    found = asyncio.run(self_test(to_test(zones, ("ipv4", "ipv6", "domain")), settings))
    wide = _wide(zones)
    lines = [f"{held.zone:<{wide}}  {held.family:<6}  {_said(tested)}" for held, tested in found.items()]
    lines += [f"{zone.zone:<{wide}}  {_access(zone)}" for zone in zones if not zone.asked_at]
    return lines, not any(tested.reason or tested.unfit for tested in found.values())


def _said(tested: Tested) -> str:
    if tested.reason:
        return f"distrusted: {tested.reason}"
    return "".join(["trusted", *(f", but not asked through {each}: {why}" for each, why in tested.unfit.items())])


def _access(zone: Zone) -> str:
    if not zone.asked_at:
        return f"not asked, needs key {zone.key}".rstrip()
    if not zone.key:
        return "asked"
    return "asked with a key" if zone.host else f"asked, key {zone.key} if any"


def _wide(zones: tuple[Zone, ...]) -> int:
    return max(len(zone.zone) for zone in zones)
