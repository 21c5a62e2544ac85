"""Which relays are content filters, and which are hosts that send on to the Internet: as the operator says, else those
on this host are filters. Pure."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from streams.adapt.postfix_lines import Fate, Relay

_HERE = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
_PRIVATE = (
    *_HERE,
    *map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    ),
)
#: Addresses that are remembered.
_MOST = 4_096
LOOPBACK = frozenset({"127.0.0.1", "::1"})


def is_filter(relay: Relay | Fate, filters: frozenset[str], smarthosts: frozenset[str]) -> bool:
    """Whether what is given to a relay comes back. What names its port is asked first."""
    if filters or smarthosts:
        names = {relay.host.lower(), relay.ip.lower()} - {""}
        ports = {f"{name}:{relay.port}" for name in names} | {f"[{name}]:{relay.port}" for name in names}
        for asked in (ports, names):
            if asked & smarthosts:
                return False
            if asked & filters:
                return True
    return relay.ip in LOOPBACK


@lru_cache(maxsize=_MOST)
def is_private(ip: str) -> bool:
    """Whether an address is of no use on the Internet: such as hosts and containers of one installation have."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)
