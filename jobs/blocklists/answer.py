"""What blocklists answer, and how it is read (RFC 5782 section 2.1). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, DNSError

from schemas.blocklists import Family, Zone, not_a_listing
from schemas.listing import ResourceKind, Weight

WORST_FIRST: tuple[Weight, ...] = ("critical", "major", "minor", "informational")


@dataclass(frozen=True, slots=True)
class Listed:
    """The zone lists the resource. `codes` are its A records in order of address."""

    weight: Weight
    meaning: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """The zone says that it does not list the resource (NXDOMAIN)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was learned. `distrust` says that the zone did not merely fail: it refused, or answered what no blocklist
    answers, so that nothing else it says can be trusted."""

    reason: str
    distrust: bool = False


LookOutcome = Listed | Clear | Failed


@dataclass(frozen=True, slots=True)
class Look:
    """What one zone said about one resource, and through which resolver ('' the system's own)."""

    resource: str
    zone: Zone
    outcome: LookOutcome
    resolver: str = ""


class Raw(NamedTuple):
    """An answer as it came: its A records, or the error in place of them. NXDOMAIN is neither."""

    codes: tuple[str, ...] | None
    error: DNSError | None


def read_answer(zone: Zone, codes: tuple[str, ...], error: DNSError | None = None) -> LookOutcome:
    """What the A records of an answer, or the resolver's error in place of them, say. Pure.

    - Only NXDOMAIN is clear. A name without A records (NODATA) is a failure: resolvers that protect against
      DNS rebinding strip answers in 127.0.0.0/8, and a listed address then looks just like that.
    - One record outside 127.0.0.0/8 (hijacked or dead zone), or one that is an error code, spoils the answer, and
      the zone with it.
    - A record that the zone's table does not name counts only where the zone says `any_code`, with the zone's
      weight; next to a named one it is kept as evidence.
    """
    if error is not None:
        return Clear() if error.args[0] == ARES_ENOTFOUND else Failed(_reason(error))
    if not codes:
        return Failed("an answer without A records")
    ordered = tuple(sorted(set(codes), key=_number))
    for code in ordered:
        if reason := not_a_listing(code, zone.errors):
            return Failed(f"{code}: {reason}", distrust=True)
    if zone.bits:
        return _read_bits(zone, ordered)
    named = [zone.codes[code] for code in ordered if code in zone.codes]
    if not named and not zone.any_code:
        return Failed(f"{', '.join(ordered)}: a code that is not in the table of zones")
    weights = [each.weight or zone.weight for each in named]
    if zone.any_code and len(named) < len(ordered):
        weights.append(zone.weight)
    meanings = [zone.codes[code].meaning if code in zone.codes else f"code {code}" for code in ordered]
    return Listed(worst(weights), "; ".join(meanings), ordered)


def worst(weights: Iterable[Weight]) -> Weight:
    """The heaviest of them."""
    return min(weights, key=WORST_FIRST.index)


def _read_bits(zone: Zone, ordered: tuple[str, ...]) -> LookOutcome:
    """An answer whose last octet is a sum of bits (SURBL, URIBL); bits that the table does not name say nothing."""
    octets = [IPv4Address(code).packed[3] for code in ordered]
    named = [meant for bit, meant in zone.bits.items() if any(octet & int(bit) for octet in octets)]
    if not named:
        return Failed(f"{', '.join(ordered)}: no bit that is in the table of zones")
    return Listed(worst(each.weight or zone.weight for each in named), "; ".join(e.meaning for e in named), ordered)


def family_of(kind: ResourceKind, name: str) -> Family:
    """Under which family a resource is asked; an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) is IPv4.

    Raises:
        ValueError: of the kind "ip", and no IP address.
    """
    if kind == "domain":
        return "domain"
    address = ip_address(name)
    return "ipv4" if isinstance(address, IPv4Address) or address.ipv4_mapped else "ipv6"


def is_address(text: str) -> bool:
    """Whether a blocklist can be asked about it as an IP address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (isinstance(address, IPv6Address) and address.scope_id)


def _reason(error: DNSError) -> str:
    if error.args[0] == ARES_ENODATA:
        return "the name has no A record; does the resolver strip answers in 127.0.0.0/8 (rebinding protection)?"
    return str(error.args[-1])


def _number(code: str) -> int:
    try:
        return int(IPv4Address(code))
    except AddressValueError:
        return -1
