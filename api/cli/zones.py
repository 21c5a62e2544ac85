"""The commands `repmon zones ...`: which blocklists are asked, and whether they can be trusted."""

import asyncio

import click

from api.cli.lazy import command
from api.cli.options import as_json, with_settings
from api.cli.printing import print_json, print_line
from jobs.blocklists.zone_tests import Tested, self_test
from jobs.blocklists.zone_trust import ZoneFamily, to_test
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Zone, in_force
from schemas.settings import Settings


@command("repmon zones list", name="list")
@as_json
@with_settings
def list_zones(settings: Settings, as_json: bool) -> None:
    """Show every list, and whether it is asked.

    With what it holds, what a listing on it weighs, and who may ask it.
    """
    zones = in_force(settings.blocklists)
    if as_json:
        for zone in zones:
            print_json(as_object(zone))
        return
    for line in described(zones):
        print_line(line)


@command("repmon zones test", name="test")
@as_json
@with_settings
def test_zones(settings: Settings, as_json: bool) -> None:
    """Test whether the lists can be trusted.

    The self-test of RFC 5782 is made of every list that is asked, through each resolver. The exit code is 1 if one
    fails.
    """
    zones = in_force(settings.blocklists)
    found = self_tested(zones, settings.blocklists)
    if as_json:
        for held, result in found.items():
            print_json(
                {"zone": held.zone, "holds": held.family, "distrusted": result.reason or None, "unfit": result.unfit}
            )
    else:
        for line in tested(zones, found):
            print_line(line)
    if any(result.reason or result.unfit for result in found.values()):
        raise click.exceptions.Exit(1)


def as_object(zone: Zone) -> dict[str, object]:
    """A zone for a program. Its key is not shown."""
    return {
        "zone": zone.zone,
        "holds": zone.holds,
        "weight": zone.weight,
        "asked": bool(zone.asked_at),
        "key": zone.key or None,
        "policy": zone.policy,
    }


def described(zones: tuple[Zone, ...]) -> list[str]:
    """A line for each zone. Keys are not shown."""
    return [
        f"{zone.zone:<{_wide(zones)}}  {', '.join(zone.holds):<10}  {zone.weight:<13}  {_access(zone):<30}  "
        f"{zone.policy}".rstrip()
        for zone in zones
    ]


def self_tested(zones: tuple[Zone, ...], settings: Blocklists) -> dict[ZoneFamily, Tested]:
    """What the self-test says of each zone that is asked and family it holds.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    return asyncio.run(self_test(to_test(zones, ("ipv4", "ipv6", "domain")), settings))


def tested(zones: tuple[Zone, ...], found: dict[ZoneFamily, Tested]) -> list[str]:
    """A line for each zone and family."""
    wide = _wide(zones)
    lines = [f"{held.zone:<{wide}}  {held.family:<6}  {_said(tested)}" for held, tested in found.items()]
    lines += [f"{zone.zone:<{wide}}  {_access(zone)}" for zone in zones if not zone.asked_at]
    return lines


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
