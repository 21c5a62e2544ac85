"""What the formats of outside blocklist monitors share: the events they make, and what a list weighs.

A listing weighs, in this order: what `blocklists.outside_weights` says of its list; what the record says; what the
table of zones says of the codes given; `blocklists.outside_weight`. Without codes a list of the table weighs as little
as any of its codes may: ZEN may mean the policy list, which accuses nobody. Our own scan sees the codes, goes first.
"""

from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from schemas.blocklists import Zone, not_a_listing
from schemas.domains import domain_name
from schemas.event import MAX_CUSTOMER_BYTES
from schemas.listing import WEIGHTS, BlocklistEvent, ListingType, ResourceKind, Weight
from streams.adapt.base import AdaptError, Context, Lists
from streams.adapt.common import stable_id
from streams.adapt.webhook import Fields, json_body

#: What `complete` events, which are of no one list, have for a zone and a weight.
ALL_ZONES = "*"
NO_WEIGHT: Weight = "informational"

#: The events of one record; none for one that says nothing about listings.
Read = Callable[[Fields], Iterable[BlocklistEvent]]


def read_outside_body(raw: bytes, read: Read) -> list[BlocklistEvent]:
    """The events of all records of a body: a JSON object, an array of them, or one a line.

    Raises:
        AdaptError: a record is bad; of several records it names the place, counted from 1.
    """
    body = json_body(raw)
    events: list[BlocklistEvent] = []
    for number, record in enumerate(body.records, start=1):
        try:
            events += read(record)
        except AdaptError as error:
            raise AdaptError(f"record {number}: {error}" if body.many else str(error)) from error
    return events


def event_of(
    kind: ListingType, monitor: str, resource: str, zone: str, weight: Weight, time_ms: int, meaning: str = ""
) -> BlocklistEvent:
    """An event of an outside monitor (time in epoch ms, UTC); the same one has the same id.

    Raises:
        AdaptError: the resource cannot be one.
    """
    of_kind, name = resource_of(resource)
    return BlocklistEvent(
        id=stable_id(monitor, name, zone, kind, time_ms),
        type=kind,
        time=time_ms,
        kind=of_kind,
        resource=name,
        zone=zone,
        weight=weight,
        meaning=meaning,
        monitor=monitor,
    )


def resource_of(text: str) -> tuple[ResourceKind, str]:
    """What is listed: an IP address, or else a domain, in the form in which our own scan names it.

    Raises:
        AdaptError: it can be neither.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        if not (name := domain_name(text)):
            raise AdaptError(f"{text[:100]!r} is neither an IP address nor a domain") from None
        return "domain", name
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise AdaptError(f"{text[:100]!r} has a scope: it is an address of one host alone")
        address = address.ipv4_mapped or address
    return "ip", str(address)


def zone_of(text: str, field: str) -> str:
    """The name of a list as the table of zones has it, if it does: in small letters, without a final dot.

    Raises:
        AdaptError: it is empty, too long, not printable, or what stands for all lists.
    """
    name = named(text.strip().lower().rstrip("."), field)
    if name == ALL_ZONES:
        raise AdaptError(f"field `{field}`: {ALL_ZONES!r} is no list")
    return name


def check_codes(lists: Lists, zone: str, codes: Sequence[str]) -> None:
    """See that the A records given for a list can be a listing: a monitor may take a refusal for one, too.

    Raises:
        AdaptError: one is a refusal, an error, or none that a blocklist gives.
    """
    known = lists.zones.get(zone)
    for code in codes:
        if reason := not_a_listing(code, known.errors if known else {}):
            raise AdaptError(f"field `codes`: {code[:100]!r}: {reason}")


def named(text: str, field: str) -> str:
    """The text, if it can be a name.

    Raises:
        AdaptError: it is empty, too long, or not printable.
    """
    if not text or len(text) > MAX_CUSTOMER_BYTES or not text.isprintable():
        raise AdaptError(f"field `{field}`: must be a name of 1 to {MAX_CUSTOMER_BYTES} characters")
    return text


def weigh(lists: Lists, zone: str, codes: Sequence[str] = (), given: Weight | None = None) -> Weight:
    """What a listing on a list weighs.

    Raises:
        AdaptError: the list is not known, and the settings refuse such.
    """
    if (own := lists.weights.get(zone) or given) is not None:
        return own
    if (known := lists.zones.get(zone)) is not None:
        return _by_codes(known, codes)
    if lists.unknown is None:
        raise AdaptError(
            f"the list {zone!r} is not in the table of zones nor in blocklists.outside_weights, and "
            "blocklists.outside_weight refuses such"
        )
    return lists.unknown


def told_now_ms(context: Context) -> int:
    """The time of records that tell none.

    Raises:
        AdaptError: it is not known.
    """
    found = context.now_ms()
    if found is None:
        raise AdaptError("the time is not known: the format has none, and there is no clock")
    return found


def _by_codes(zone: Zone, codes: Sequence[str]) -> Weight:
    named_by = [zone.codes[code] for code in codes if code in zone.codes]
    octets = [IPv4Address(code).packed[3] for code in codes]
    named_by += [meant for bit, meant in zone.bits.items() if any(octet & int(bit) for octet in octets)]
    if named_by:
        return min((each.weight or zone.weight for each in named_by), key=WEIGHTS.index)
    possible = [each.weight or zone.weight for each in (*zone.codes.values(), *zone.bits.values())]
    return max([*possible, *([zone.weight] if zone.any_code else [])], key=WEIGHTS.index)
