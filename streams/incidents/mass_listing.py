"""Whether many addresses or domains that began to be listed together say anything about those who used them. Pure.

A list errs, or lists a whole neighbourhood: then it names the addresses of customers who have nothing in common but
their place. So it is asked whose matter each address would be. All addresses of one customer are one matter, and so
are accounts with one From domain, and a shared pool of which one customer stands out as the cause. A fifth of those who
can tell, three at least, are an incident; twenty are one in a fleet of any size, unless as many begin on that list in
some ordinary hour. Where it is two, a fifth or more, too few can tell: it is suspected, and their alerts are held.

It must not hide the bad. Who can tell has a good history, as in `detect`: many new accounts of one abuser are no
incident, however many addresses they have. Only where nobody has a history, on a platform's first days, everybody is
asked. Who is bad by its own mail is never asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

from schemas.listing import ResourceKind
from schemas.times import HOUR_MS
from streams.listings.good_history import History
from streams.listings.neighbours import places_of

#: What begins within so long is together: one scan of a large fleet takes minutes, and a list is asked every ten.
WITHIN_MS = HOUR_MS
#: So many of those who can tell must be struck, and such a share of them (a ratio), ...
LEAST_STRUCK = 3
SHARE = 0.2
#: Where so many are, too few can tell.
LEAST_SUSPECTED = 2
#: What the incident says then.
WHY_FEW = "too few of the fleet are listed there to tell whether the list errs"
#: ... but no more than this, or so many times what began on the list in the busiest hour of the weeks before.
MANY, TIMES = 20, 4


class Voter(NamedTuple):
    """One whose matter a listing would be; `struck`: something of it began to be listed."""

    name: str
    struck: bool
    history: History


class Begun(NamedTuple):
    """A listing that began at `from_ms` (epoch ms)."""

    resource: str
    kind: ResourceKind
    zone: str
    from_ms: int


class Together(NamedTuple):
    """Listings that began on one list, or of one of its networks, within `WITHIN_MS`."""

    place: str
    begun: tuple[Begun, ...]

    @property
    def resources(self) -> frozenset[str]:
        return frozenset(each.resource for each in self.begun)


class Mass(NamedTuple):
    """A mass listing: the names of those who were struck, sorted, and how many were spared, of those who can tell."""

    struck: tuple[str, ...]
    spared: int


def mass(voters: Iterable[Voter], busiest: int, *, established: bool) -> Mass | None:
    """Whether it is an incident. `busiest` is how many listings began on the list in the busiest hour of the weeks
    before; `established`, that customers of the fleet have a history, so that those without one cannot tell."""
    asked: tuple[History, ...] = ("good",) if established else ("good", "none")
    able = [each for each in voters if each.history in asked]
    struck = sorted(each.name for each in able if each.struck)
    needed = max(LEAST_STRUCK, min(ceil(SHARE * len(able)), max(MANY, TIMES * busiest)))
    return Mass(tuple(struck), len(able) - len(struck)) if len(struck) >= needed else None


def may_be_mass(voters: Iterable[Voter], busiest: int) -> Mass | None:
    """Whether it may be an incident of which too few can tell: no hour of the weeks before was like it on that list,
    and those who were struck have a good history, so that a list that errs is as likely as two who went bad at once.
    To be asked of a list, not of a network: in that perhaps nobody else sends."""
    able = [each for each in voters if each.history == "good"]
    struck = sorted(each.name for each in able if each.struck)
    is_unusual = len(struck) > busiest and len(struck) >= max(LEAST_SUSPECTED, ceil(SHARE * len(able)))
    return Mass(tuple(struck), len(able) - len(struck)) if is_unusual else None


def together(begun: Iterable[Begun]) -> Iterator[Together]:
    """Those that began together, enough of them to be asked about, by place; of each place all that any such hour
    has in common."""
    by_place: dict[str, list[Begun]] = defaultdict(list)
    for each in sorted(begun, key=lambda each: (each.from_ms, each.resource)):
        for place in places_of(each.resource, each.zone):
            by_place[place].append(each)
    # The list itself before its networks, a larger network before those in it.
    for place, some in sorted(by_place.items(), key=lambda each: ("@" in each[0], -len(each[1]), each[0])):
        yield from (Together(place, tuple(each)) for each in _hours(some))


def _hours(some: Sequence[Begun]) -> Iterator[Sequence[Begun]]:
    """The runs (by time) that lie within `WITHIN_MS` and in no longer one."""
    end = 0
    for first, each in enumerate(some):
        before = end
        while end < len(some) and some[end].from_ms - each.from_ms < WITHIN_MS:
            end += 1
        run = some[first:end]
        if end > before and len({one.resource for one in run}) >= LEAST_STRUCK:
            yield run
