"""Which addresses a target may have, so that a route cannot be made to reach what only this machine reaches.

A name is looked up once, every address of it is checked, and the connection goes to one of those: a name that means
another address a moment later (DNS rebinding) changes nothing.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from schemas.errors import ExternalError

#: IPv4 addresses within IPv6 ones, as translators take them (RFC 6052 section 2.1).
NAT64 = IPv6Network("64:ff9b::/96")
#: So many addresses of a name are tried.
MOST_TRIED = 3


class NotPublicError(ExternalError):
    """The target has an address that is not public; the message names it and the setting that allows it."""


class NotFoundError(ExternalError):
    """The target's name is not known, or cannot be looked up now."""


class CheckedHost(NamedTuple):
    """A host as it is named, and the addresses that were checked."""

    host: str
    addresses: tuple[str, ...]


def is_public(text: str) -> bool:
    """Whether an address is one of the public Internet, also the one within it where it carries another."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and (inner := _carried(address)) is not None:
        return is_public(str(inner))
    return address.is_global and not address.is_multicast


def look_up(host: str, port: int, *, allow_private: bool) -> CheckedHost:
    """The addresses of a host.

    Raises:
        NotPublicError: one of them is not public, and the route does not allow that.
        NotFoundError: it has none, or nobody answers.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFoundError(f"{host} cannot be looked up: {getattr(error, 'strerror', None) or error}") from error
    addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    if not allow_private and (private := [each for each in addresses if not is_public(each)]):
        which = f"{host} is" if private[0] == host else f"{host} is at {private[0]},"
        raise NotPublicError(f"{which} not a public address; the route allows such with `allow_private = true`")
    return CheckedHost(host, addresses[:MOST_TRIED])


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
