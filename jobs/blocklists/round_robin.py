"""What each zone may be asked about, and in which of its turns. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable
from typing import NamedTuple

from jobs.blocklists.answer import family_of, is_address
from jobs.blocklists.dnsbl import Like, Question, Resource, holds, like_of
from jobs.blocklists.schedule import Arc, place_of
from schemas.blocklists import Zone
from schemas.domains import domain_name


class _Entry(NamedTuple):
    place: int
    name: str
    like: Like


class ResourceCircle:
    """Resources, each at its place on the circle of `scan_schedule`."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._entries = sorted(_Entry(place_of(each.name), each.name, like_of(each)) for each in set(resources))
        self._places = [each.place for each in self._entries]
        self._counts = Counter(each.like for each in self._entries)

    def count(self, zone: Zone) -> int:
        """How many resources the zone is asked about in a round."""
        return sum(many for like, many in self._counts.items() if holds(zone, like))

    def questions(self, zone: Zone, arc: Arc, known: Collection[str] = ()) -> list[Question]:
        """What to ask the zone about in a turn: what lies in the arc, and what is `known` of the zone and does."""
        first, last = (bisect_left(self._places, place) for place in (arc.begin, arc.begin + arc.length))
        names = [each.name for each in self._entries[first:last] if holds(zone, each.like)]
        more = set(known).difference(names)
        names += [each for each in more if arc.holds(place_of(each)) and may_be_asked(zone, each)]
        return [Question(name, zone) for name in sorted(names)]


def may_be_asked(zone: Zone, name: str) -> bool:
    """Whether the zone holds the like of a name that comes from elsewhere, such as from an event."""
    if zone.kind == "domain":
        return bool(domain_name(name))
    return is_address(name) and family_of("ip", name) in zone.holds
