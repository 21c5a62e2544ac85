"""Looks at zones that were tested before they are asked, through the resolvers in a fitting order."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from jobs.blocklists.answer import Failed, Look, family_of
from jobs.blocklists.dnsbl import QueryOptions, Question, look
from jobs.blocklists.listing_life import NOTHING
from jobs.blocklists.state import States
from jobs.blocklists.zone_tests import SelfTests
from jobs.blocklists.zone_trust import ZoneFamily, distrusted_as_failed, to_test, untrusted
from schemas.blocklist_settings import Blocklists


class TrustedLookups(NamedTuple):
    """The looks, those at zones that are not trusted as failures; which zones were tested; which are not trusted,
    and why; and why each zone failed its test through each resolver, empty where it passed."""

    looks: list[Look]
    tested: tuple[ZoneFamily, ...]
    distrusted: dict[ZoneFamily, str]
    by_resolver: Mapping[tuple[ZoneFamily, str], str] = MappingProxyType({})


async def trusted_lookups(
    asked: Sequence[Question],
    how: QueryOptions,
    states: States,
    fallen: Mapping[ZoneFamily, str],
    *,
    world: bool,
) -> TrustedLookups:
    """Test the zones, and ask those that passed.

    Zones that fail their self-test, and those of `fallen`, are not asked at all; no zone is asked through a resolver
    through which it fails. With `world` a zone that lists too many is not trusted either.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    families = {_zone_family(each): each.zone for each in asked}
    tests = [
        (zone, family)
        for held, zone in families.items()
        for zone, family in to_test([zone], [held.family])
        if held not in fallen
    ]
    put = SelfTests(how)
    verdicts = await put.verdicts(tests)
    distrusted = {each: reason for each, reason in verdicts.items() if reason} | dict(fallen)
    looks = [Look(each.name, each.zone, Failed("not asked")) for each in asked if _zone_family(each) in distrusted]
    open_questions = [each for each in asked if _zone_family(each) not in distrusted]

    async def unfit(there: Sequence[Question], resolver: str) -> list[str]:
        zones = {_zone_family(each): each.zone for each in there}
        found = await put.through([(zone, held.family) for held, zone in zones.items()], resolver)
        why = {held: f"not asked through {resolver}: {reason}" if reason else "" for held, reason in found.items()}
        return [why[_zone_family(each)] for each in there]

    for resolvers, group in _by_resolvers(open_questions, how.settings, states):
        looks += await look(group, how, resolvers, unfit)
    distrusted |= untrusted(looks, how.settings, world=world)
    return TrustedLookups(distrusted_as_failed(looks, distrusted), tuple(verdicts), distrusted, put.reasons)


def _zone_family(question: Question) -> ZoneFamily:
    return ZoneFamily(question.zone.zone, family_of(question.zone.kind, question.name))


def _by_resolvers(
    asked: Sequence[Question], settings: Blocklists, states: States
) -> list[tuple[list[str], list[Question]]]:
    """The questions by the order in which resolvers are asked: for a second look, the one of the first look last."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for each in asked:
        first = states.get((each.name, each.zone.zone), NOTHING).first
        groups[first.resolver if first else ""].append(each)
    return [
        (sorted(settings.resolvers, key=lambda resolver, last=last: resolver == last), group)  # type: ignore[misc]
        for last, group in groups.items()
    ]
