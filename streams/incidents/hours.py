"""Incidents out of the hours in which something was found: those that follow each other at one place are one. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.incident import Dimension, Example, Incident, State, incident_id
from schemas.times import DAY_S, HOUR_S
from streams.incidents.detect import Account, Finding

#: How many customers are named.
EXAMPLES = 5

#: Dimension and value.
Place = tuple[Dimension, str]
#: A place, an hour (epoch s) and an outcome of which those who sent then were spared. Of another outcome that says
#: nothing.
Over = tuple[Place, int, str]


class FoundHour(NamedTuple):
    """What was found at one place in one hour (epoch s); rates are ratios."""

    place: Place
    hour: int
    outcome: str
    rate: float
    usual: float
    struck: int
    spared: int
    weight: float
    examples: tuple[Example, ...] = ()
    #: Too few can tell, or it may be those who were struck; then it is said why.
    suspected: bool = False
    why: str = ""


def examples_of(finding: Finding, accounts: Iterable[Account]) -> tuple[Example, ...]:
    """Those who were struck hardest."""
    names = set(finding.struck)
    struck = [each for each in accounts if each.customer in names]
    most = sorted(struck, key=lambda each: (-each.here.failed, each.customer))[:EXAMPLES]
    # What expires of an unknown time is not among what is finished, and may be more.
    return tuple(
        Example(customer=each.customer, failed=each.here.failed, total=max(each.here.total, each.here.failed))
        for each in most
    )


def hour_of(
    finding: Finding, place: Place, hour: int, outcome: str, usual: float, examples: tuple[Example, ...]
) -> FoundHour:
    """A finding as that of an hour (epoch s); `usual` is a ratio."""
    struck, spared = len(finding.struck), len(finding.spared)
    return FoundHour(place, hour, outcome, finding.raised, usual, struck, spared, finding.weight, examples)


class Looked(NamedTuple):
    """One look: what was found, and at which places and hours those who sent were clearly spared; and whether it was at
    the hour that runs too, so that it says what is over."""

    found: Sequence[FoundHour]
    over: Collection[Over]
    at_current: bool = True


def updated(known: Mapping[str, Incident], looked: Looked, now_ms: int) -> list[Incident]:
    """The incidents that are new or changed after a look at `now_ms` (epoch ms), by what monitors know of them.

    An hour that was found stays, unless those who sent then are seen to have been spared after all. An open incident
    covers the hour that runs, as long as those who send in it are not seen to be spared.
    """
    current = now_ms // 1000 // HOUR_S * HOUR_S
    by_place: dict[Place, list[Incident]] = {}
    for each in known.values():
        by_place.setdefault((each.dimension, each.value), []).append(each)
    touched = dict(known)
    for place, found in _by_place(looked.found).items():
        for group in _neighbours(found):
            hours = {each.hour for each in group}
            worst = max(group, key=lambda each: each.weight)
            near = [each for each in by_place.get(place, []) if _is_near(each, worst.outcome, hours)]
            if worst.suspected:
                # What is sure does not grow by what is suspected.
                near = [each for each in near if each.state == "suspected"]
            if near:
                earlier = touched[min(near, key=lambda each: each.hours).id]
                if _fails_otherwise(earlier, group):
                    earlier = msgspec.structs.replace(earlier, outcome=worst.outcome, struck=0)
                touched[earlier.id] = _with(earlier, worst, hours)
            else:
                begun = _begun(place, worst, hours, now_ms)
                touched[begun.id] = begun
                by_place.setdefault(place, []).append(begun)
    changed = []
    for each in touched.values():
        after = _settled(each, looked, current, now_ms)
        if after != known.get(each.id):
            changed.append(after)
    return changed


def _by_place(found: Iterable[FoundHour]) -> dict[Place, list[FoundHour]]:
    by_place: dict[Place, list[FoundHour]] = {}
    for each in sorted(found, key=lambda each: (each.place, each.hour)):
        by_place.setdefault(each.place, []).append(each)
    return by_place


def _neighbours(found: Sequence[FoundHour]) -> Iterable[list[FoundHour]]:
    """Hours (sorted) between which there is no other; of complaints, hours of which none is more than a day from the
    next: a batch of them is about the mail of whole days, and there are nights between."""
    group: list[FoundHour] = []
    for each in found:
        if group and each.hour > group[-1].hour + _apart(each.outcome, group[-1].outcome):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _is_near(incident: Incident, outcome: str, hours: Collection[int]) -> bool:
    apart = _apart(incident.outcome, outcome)
    return any(incident.from_s - apart <= hour <= incident.hours[-1] + apart for hour in hours)


def _fails_otherwise(incident: Incident, found: Sequence[FoundHour]) -> bool:
    """Whether all hours of an incident were found again, and in none of them what it was taken for: while mail waits
    what is refused at once seems much, until the rest is given up."""
    outcomes = {each.outcome for each in found}
    if incident.state != "detected" or {incident.outcome, "complained"} & outcomes:
        return False
    return incident.outcome != "complained" and set(incident.confirmed) <= {each.hour for each in found}


def _apart(*outcomes: str) -> int:
    return DAY_S if all(each == "complained" for each in outcomes) else HOUR_S


def _begun(place: Place, worst: FoundHour, hours: Collection[int], now_ms: int) -> Incident:
    dimension, value = place
    ordered = tuple(sorted(hours))
    return Incident(
        id=incident_id(dimension, value, worst.outcome, ordered[0]),
        dimension=dimension,
        value=value,
        outcome=worst.outcome,
        state=_state(dimension, worst),
        hours=ordered,
        confirmed=ordered,
        rate=worst.rate,
        usual=worst.usual,
        struck=worst.struck,
        spared=worst.spared,
        examples=worst.examples,
        detected_ms=now_ms,
        why=worst.why,
    )


def _state(dimension: Dimension, found: FoundHour) -> State:
    if dimension == "customer":
        return "not_excused"
    return "suspected" if dimension == "pool" or found.suspected else "detected"


def _with(incident: Incident, worst: FoundHour, hours: Collection[int]) -> Incident:
    """With more hours; the numbers are those of the hour that struck most."""
    confirmed = tuple(sorted({*incident.confirmed, *hours}))
    incident = msgspec.structs.replace(incident, confirmed=confirmed, hours=tuple(sorted({*incident.hours, *hours})))
    # It is sure once as many are struck of whom nothing is doubtful: others may just have begun to send.
    is_sure = incident.state == "suspected" and not worst.suspected and worst.struck >= incident.struck
    if incident.state == "dismissed" or is_sure:
        incident = msgspec.structs.replace(incident, state=_state(incident.dimension, worst), why="")
    if worst.struck <= incident.struck:
        return incident
    return msgspec.structs.replace(
        incident,
        rate=worst.rate,
        usual=worst.usual,
        struck=worst.struck,
        spared=worst.spared,
        examples=worst.examples,
    )


def _settled(incident: Incident, looked: Looked, current: int, now_ms: int) -> Incident:
    """With the hours that it covers now, and whether it goes on."""
    place: Place = (incident.dimension, incident.value)
    again = {each.hour for each in looked.found if each.place == place}
    wrong = {
        hour for hour in incident.confirmed if (place, hour, incident.outcome) in looked.over and hour not in again
    }
    confirmed = tuple(hour for hour in incident.confirmed if hour not in wrong)
    # Listings that begin later are seen to belong to it, or do not: nobody else's mail speaks for them.
    spared = (place, current, incident.outcome) in looked.over
    follows = incident.dimension not in ("listing", "customer") and not spared
    follows = follows if looked.at_current else incident.open
    goes_on = bool(confirmed) and (confirmed[-1] == current or (confirmed[-1] == current - HOUR_S and follows))
    hours = (*confirmed, current) if goes_on and confirmed[-1] < current else confirmed
    if not hours:
        # Nothing is left of it: it was none.
        since_ms = incident.closed_ms if incident.state == "dismissed" else None
        return msgspec.structs.replace(
            incident,
            confirmed=(),
            open=False,
            state="dismissed",
            closed_ms=since_ms or now_ms,
            why="those who sent were spared",
        )
    closed_ms = None if goes_on else incident.closed_ms or now_ms
    return msgspec.structs.replace(incident, confirmed=confirmed, hours=hours, open=goes_on, closed_ms=closed_ms)
