"""What listings have in common: their list, and on it the network of their addresses. Pure."""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

#: The lengths of networks that lists take for one neighbourhood: of IPv4, and of IPv6 a site and one link.
IPV4_BITS, IPV6_BITS = (24,), (48, 64)


@lru_cache(maxsize=65_536)
def places_of(resource: str, zone: str) -> tuple[str, ...]:
    """What a listing may share with others: the list; of an address its networks on the list, the larger one first."""
    try:
        address = ip_address(resource)
    except ValueError:
        return (zone,)
    bits = IPV4_BITS if isinstance(address, IPv4Address) else IPV6_BITS
    return (zone, *(f"{ip_network((address, length), strict=False)}@{zone}" for length in bits))
