"""Which zones can be trusted: RFC 5782's self-test, and what an answering zone gives away. Pure.

Trust is by zone and family: a list may hold IPv4 addresses well and IPv6 ones not at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv6Address
from typing import NamedTuple

from jobs.blocklists.answer import Failed, Listed, Look, Raw, family_of
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Family, Zone, not_a_listing


class ZoneFamily(NamedTuple):
    """A zone and the family of what is looked up there."""

    zone: str
    family: Family


class Probe(NamedTuple):
    """One question of the self-test: the name that is put before the zone, what it stands for, and the answer due."""

    name: str
    stands_for: str
    listed: bool


#: Why each zone and family is not trusted.
Untrusted = Mapping[ZoneFamily, str]


def probes(zone: Zone, family: Family) -> tuple[Probe, Probe]:
    """The self-test of RFC 5782 section 5: one name that every working list holds, and one that none does."""
    if family == "domain":
        return Probe(zone.test_listed, zone.test_listed, True), Probe(zone.test_clean, zone.test_clean, False)
    if family == "ipv4":
        return Probe("2.0.0.127", "127.0.0.2", True), Probe("1.0.0.127", "127.0.0.1", False)
    return Probe(_nibbles("::ffff:7f00:2"), "::ffff:7f00:2", True), Probe(
        _nibbles("::ffff:7f00:1"), "::ffff:7f00:1", False
    )


def verdict(zone: Zone, family: Family, answers: Mapping[tuple[str, str], Raw]) -> str:
    """Why the zone failed its self-test; empty if it passed. `answers` by name and zone; one that lacks failed."""
    for probe in probes(zone, family):
        raw = answers.get((probe.name, zone.zone))
        if reason := "not asked" if raw is None else _wrong(zone, probe.listed, raw):
            return f"{probe.stands_for}: {reason}"
    return ""


def _wrong(zone: Zone, listed: bool, raw: Raw) -> str:
    """What is wrong with the answer about a name that is to be listed, or not."""
    if raw.error is not None:
        return str(raw.error.args[-1])
    if raw.codes is None:
        return "not listed: the zone is dead or empty" if listed else ""
    # Test entries may carry codes that the table does not name.
    spoiled = [f"{code}: {reason}" for code in raw.codes if (reason := not_a_listing(code, zone.errors))]
    if spoiled or not raw.codes:
        return (spoiled or ["an answer without A records"])[0]
    return "" if listed else f"listed ({', '.join(raw.codes)}): the zone lists everything"


def untrusted(looks: Iterable[Look], settings: Blocklists, *, world: bool = True) -> dict[ZoneFamily, str]:
    """Zones whose answers cannot be trusted, by these answers.

    - One refusal, or one answer outside 127.0.0.0/8, spoils the zone.
    - So does a listing of too many of the resources asked about at once. Listings that accuse nobody (weight
      informational) do not count: whole networks are listed there for what they are. Without `world` this is not
      asked: the resources were chosen because they were listed.
    """
    asked: dict[ZoneFamily, int] = defaultdict(int)
    listed: dict[ZoneFamily, int] = defaultdict(int)
    found: dict[ZoneFamily, str] = {}
    for each in looks:
        held = zone_family_of(each)
        if isinstance(each.outcome, Failed):
            if each.outcome.distrust:
                found.setdefault(held, each.outcome.reason)
            continue
        asked[held] += 1
        listed[held] += isinstance(each.outcome, Listed) and each.outcome.weight != "informational"
    for held, count in listed.items() if world else ():
        of = asked[held]
        if of >= settings.trust_min_sample and count > settings.most_listed_share * of:
            found.setdefault(held, f"lists {count:,} of {of:,} resources at once")
    return found


def distrusted_as_failed(looks: Sequence[Look], distrusted: Untrusted) -> list[Look]:
    """The looks, those at distrusted zones as failures."""
    return [
        each
        if (reason := distrusted.get(zone_family_of(each))) is None
        else Look(each.resource, each.zone, Failed(f"distrusted: {reason}", distrust=True), each.resolver)
        for each in looks
    ]


def zone_family_of(look: Look) -> ZoneFamily:
    """What is trusted, or not, when the look is."""
    return ZoneFamily(look.zone.zone, family_of(look.zone.kind, look.resource))


def to_test(zones: Collection[Zone], families: Collection[Family]) -> list[tuple[Zone, Family]]:
    """What to test before resources of these families are asked about: zones that are asked at all."""
    return [(zone, family) for zone in zones if zone.asked_at for family in zone.holds if family in families]


def _nibbles(address: str) -> str:
    """RFC 5782 section 2.4."""
    return ".".join(reversed(IPv6Address(address).exploded.replace(":", "")))
