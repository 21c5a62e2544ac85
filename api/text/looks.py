"""What blocklists said, as lines for people and as JSON lines for programs."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from api.text.columns import columns
from jobs.blocklists.answer import WORST_FIRST, Failed, Listed, Look, family_of
from jobs.blocklists.dnsbl import Resource
from jobs.blocklists.result import ScanResult
from jobs.blocklists.trusted_lookups import TrustedLookups
from jobs.blocklists.used_resources import ResourceUsers
from jobs.blocklists.zone_trust import zone_family_of
from schemas.blocklists import Zone
from schemas.listing import BlocklistEvent, ResourceKind, Weight
from schemas.wording import rfc3339

OUTCOMES = ("listed", "failed", "not asked", "clear")
HEAD = ("RESOURCE", "LIST", "OUTCOME", "WEIGHT", "CODES", "BELIEVED", "MEANING")


class LookLine(msgspec.Struct, kw_only=True, frozen=True, tag_field="line", tag="look"):
    """What one list said about one address or domain. `outcome` is `listed`, `clear`, `failed` (nothing was learned) or
    `not asked` (the list needs a key); `weight` is that of the listing, of a list without one that of the list.
    `reason` is why nothing was learned, `distrusted` whether that is because the list is not trusted.

    `customers` and `messages` say who used it in the lookback, where the store was asked.
    """

    resource: str
    kind: ResourceKind
    zone: str
    outcome: str
    weight: Weight
    codes: tuple[str, ...] = ()
    meaning: str = ""
    reason: str = ""
    distrusted: bool = False
    delisting: str = ""
    customers: tuple[str, ...] = ()
    customer_count: int = 0
    messages: int = 0


class ZoneLine(msgspec.Struct, kw_only=True, frozen=True, tag_field="line", tag="zone"):
    """What a scan found on one list. `distrusted` is why it is not trusted, empty where it is."""

    zone: str
    looked: int
    listed: int
    began: int
    ended: int
    failed: int
    reason: str
    distrusted: str


class ChangeLine(msgspec.Struct, kw_only=True, frozen=True, tag_field="line", tag="change"):
    """A listing that was reported to have begun, to go on, to have ended, or that could not be checked."""

    type: str
    resource: str
    zone: str
    weight: Weight
    confirmed: bool
    reason: str


class ScanLine(msgspec.Struct, kw_only=True, frozen=True, tag_field="line", tag="scan"):
    """A scan as a whole, its last line."""

    time: str
    resources: int
    looks: int
    listed: int
    failed: int
    open_listings: int
    waiting_for_second_look: int
    needs_key: tuple[str, ...]
    limit_used_up: tuple[str, ...]
    invalid: tuple[str, ...]


Line = LookLine | ZoneLine | ChangeLine | ScanLine


def look_lines(found: TrustedLookups, resources: Sequence[Resource], zones: Sequence[Zone]) -> list[LookLine]:
    """A line for each resource and list that holds its like: listings first, the heaviest before the others."""
    lines = [look_line(each, distrusted=zone_family_of(each) in found.distrusted) for each in found.looks]
    lines += [
        LookLine(
            resource=name,
            kind=kind,
            zone=zone.zone,
            outcome="not asked",
            weight=zone.weight,
            reason=f"needs key {zone.key}".rstrip(),
        )
        for kind, name in resources
        for zone in zones
        if not zone.asked_at and zone.kind == kind and family_of(kind, name) in zone.holds
    ]
    return sorted(
        lines,
        key=lambda each: (OUTCOMES.index(each.outcome), WORST_FIRST.index(each.weight), each.resource, each.zone),
    )


def look_line(look: Look, use: ResourceUsers | None = None, *, distrusted: bool = False) -> LookLine:
    """One look."""
    outcome, zone = look.outcome, look.zone
    listed = outcome if isinstance(outcome, Listed) else None
    use = use or ResourceUsers()
    return LookLine(
        resource=look.resource,
        kind=zone.kind,
        zone=zone.zone,
        outcome=type(outcome).__name__.lower(),
        weight=listed.weight if listed else zone.weight,
        codes=listed.codes if listed else (),
        meaning=listed.meaning if listed else "",
        reason=outcome.reason if isinstance(outcome, Failed) else "",
        distrusted=distrusted,
        delisting=zone.delisting if listed else "",
        customers=use.customers,
        customer_count=use.customer_count,
        messages=use.messages,
    )


def scan_lines(result: ScanResult) -> Iterator[Line]:
    """A scan: every listing it saw, every list, every change, and the whole."""
    used: Mapping[Resource, ResourceUsers] = result.used
    for look in result.listed_looks:
        yield look_line(look, used.get(Resource(look.zone.kind, look.resource)))
    for zone in result.zones:
        yield ZoneLine(
            zone=zone.zone,
            looked=zone.looked,
            listed=zone.listed,
            began=zone.began,
            ended=zone.ended,
            failed=zone.failed,
            reason=zone.reason,
            distrusted=zone.distrusted,
        )
    for event in result.events:
        yield change_line(event)
    yield ScanLine(
        time=rfc3339(result.now_ms),
        resources=result.resources,
        looks=result.looked,
        listed=result.listed,
        failed=result.failed,
        open_listings=result.open,
        waiting_for_second_look=result.waiting,
        needs_key=result.keyless,
        limit_used_up=result.spared,
        invalid=result.invalid,
    )


def change_line(event: BlocklistEvent) -> ChangeLine:
    """What was reported."""
    return ChangeLine(
        type=event.type,
        resource=event.resource,
        zone=event.zone,
        weight=event.weight,
        confirmed=event.confirmed,
        reason=event.reason,
    )


def rows(lines: Sequence[LookLine]) -> list[str]:
    """The lines as a table with a heading, in columns."""
    return columns([HEAD, *(_cells(each) for each in lines)])


def _cells(line: LookLine) -> tuple[str, ...]:
    trust = "" if line.outcome == "not asked" else "distrusted" if line.distrusted else "yes"
    weight = line.weight if line.outcome == "listed" else f"({line.weight})"
    return (
        line.resource,
        line.zone,
        line.outcome,
        weight,
        ",".join(line.codes),
        trust,
        line.meaning or line.reason,
    )
