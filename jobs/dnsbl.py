"""Ask blocklists over DNS, and read what they answer (RFC 5782).

pydnsbl asks: it builds the name of each question and keeps many under way at once. Its own lists (several are
dead) and its reading of answers (it takes "you may not ask" for a listing) are not used.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

import aiodns
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, DNSError
from pydnsbl.checker import BaseDNSBLChecker, DNSBLDomainChecker, DNSBLIpChecker
from pydnsbl.providers import Provider

from schemas.blocklists import ANSWERS, LOOPBACK, REFUSALS, Zone
from schemas.listing import ResourceKind, Weight
from schemas.settings import Blocklists, SettingsError

WORST_FIRST: tuple[Weight, ...] = ("critical", "major", "minor", "informational")
#: A zone that failed this often in a row is dead, or refuses us; the rest of the scan leaves it in peace.
GIVE_UP_AFTER = 50

#: Spamhaus, "DNSBL usage FAQ": the codes of queries that were not answered. Others follow the convention.
REFUSED_BECAUSE = {
    "127.255.255.252": "the zone's name is mistyped",
    "127.255.255.254": "asked through a public or open resolver; set blocklists.resolvers to your own",
    "127.255.255.255": "too many queries",
}


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
    """Nothing was learned."""

    reason: str


Outcome = Listed | Clear | Failed


class Resource(NamedTuple):
    """What is looked up: an address or a domain, as its owner writes it."""

    kind: ResourceKind
    name: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one zone said about one resource."""

    resource: str
    zone: Zone
    outcome: Outcome


async def look(resources: Collection[Resource], zones: Sequence[Zone], settings: Blocklists) -> list[Look]:
    """Ask every zone about every resource of its kind; the looks come ordered by resource and zone.

    Zones that still lack their key are not asked. Runs in whatever loop awaits it, in any thread.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    found: list[Look] = []
    for kind in ("ip", "domain"):
        names = sorted({each.name for each in resources if each.kind == kind})
        asked = [zone for zone in zones if zone.kind == kind and zone.asked_at]
        if names and asked:
            found += await _Inquiry(kind, asked, settings).ask(names)
    return sorted(found, key=lambda each: (each.resource, each.zone.zone))


def read_answer(zone: Zone, codes: tuple[str, ...], error: DNSError | None = None) -> Outcome:
    """What the A records of an answer, or the resolver's error in place of them, say. Pure.

    - Only NXDOMAIN is clear. A name without A records (NODATA) is a failure: resolvers that protect against
      DNS rebinding strip answers in 127.0.0.0/8, and a listed address then looks just like that.
    - One record outside 127.0.0.0/8 (hijacked or dead zone), or one that is an error code, spoils the answer.
    - A record that the zone's table does not name counts only where the zone says `any_code`, with the zone's
      weight; beside a named one it is kept as evidence.
    """
    if error is not None:
        return Clear() if error.args[0] == ARES_ENOTFOUND else Failed(_reason(error))
    if not codes:
        return Failed("an answer without A records")
    ordered = tuple(sorted(set(codes), key=_number))
    for code in ordered:
        if reason := _spoiled(zone, code):
            return Failed(f"{code}: {reason}")
    named = [zone.codes[code] for code in ordered if code in zone.codes]
    if not named and not zone.any_code:
        return Failed(f"{', '.join(ordered)}: a code that is not in the table of zones")
    weights = [each.weight or zone.weight for each in named]
    if zone.any_code and len(named) < len(ordered):
        weights.append(zone.weight)
    meanings = [zone.codes[code].meaning if code in zone.codes else f"code {code}" for code in ordered]
    return Listed(min(weights, key=WORST_FIRST.index), "; ".join(meanings), ordered)


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


def _spoiled(zone: Zone, code: str) -> str:
    """Why the record cannot be part of a listing; empty if it can."""
    if reason := zone.errors.get(code, ""):
        return reason
    try:
        address = IPv4Address(code)
    except AddressValueError:
        return "not an IPv4 address"
    if address not in ANSWERS:
        return "outside 127.0.0.0/8: the zone is hijacked or dead, or the resolver rewrites answers"
    if address in REFUSALS:
        return REFUSED_BECAUSE.get(code, "the zone refuses to answer")
    if address == LOOPBACK:
        return "not a listing (RFC 5782 section 2.1): a refusal, or a dead zone"
    return ""


def _number(code: str) -> int:
    try:
        return int(IPv4Address(code))
    except AddressValueError:
        return -1


class _ZoneProvider(Provider):  # type: ignore[misc]
    """A zone as pydnsbl knows it, with the failures seen since it last answered."""

    def __init__(self, zone: Zone) -> None:
        super().__init__(zone.asked_at)
        self.zone = zone
        self.failures = 0


class _IpChecker(DNSBLIpChecker):  # type: ignore[misc]
    """Asks about an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) as the IPv4 address it is."""

    def prepare_query(self, request: str) -> str:
        address = ip_address(request)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(super().prepare_query(str(mapped or request)))


CHECKERS: dict[str, type[BaseDNSBLChecker]] = {"ip": _IpChecker, "domain": DNSBLDomainChecker}


class _Inquiry:
    """All questions of one kind, so many at a time."""

    def __init__(self, kind: ResourceKind, zones: Sequence[Zone], settings: Blocklists) -> None:
        self._settings = settings
        self._providers = [_ZoneProvider(zone) for zone in zones]
        self._kind = kind

    async def ask(self, names: Sequence[str]) -> list[Look]:
        loop = asyncio.get_running_loop()
        resolver = _resolver(self._settings, loop)
        found: list[Look] = []
        try:
            checker = CHECKERS[self._kind](providers=self._providers, concurrency=self._settings.concurrency, loop=loop)
            # It comes with a resolver of the system's addresses on port 53, and takes no other.
            await checker._resolver.close()
            checker._resolver = resolver
            questions = ((name, provider) for name in names for provider in self._providers)
            # As many workers as questions may be under way: a task a question could be a million tasks.
            many = min(self._settings.concurrency, len(names) * len(self._providers))
            async with asyncio.TaskGroup() as group:
                for _ in range(many):
                    group.create_task(_work(checker, questions, found))
        finally:
            await resolver.close()
        return found


async def _work(checker: BaseDNSBLChecker, questions: Iterator[tuple[str, _ZoneProvider]], found: list[Look]) -> None:
    for name, provider in questions:
        outcome = await _ask(checker, name, provider)
        found.append(Look(name, provider.zone, outcome))


async def _ask(checker: BaseDNSBLChecker, name: str, provider: _ZoneProvider) -> Outcome:
    if provider.failures >= GIVE_UP_AFTER:
        return Failed(f"not asked: the zone failed {GIVE_UP_AFTER} times in a row")
    try:
        response: Any = await checker.dnsbl_request(name, provider)
    except ValueError as error:
        return Failed(f"cannot be asked about: {error}")
    if response.error is None and response.response is None:
        outcome: Outcome = Clear()
    else:
        codes = tuple(record.host for record in response.response or ())
        outcome = read_answer(provider.zone, codes, response.error)
    provider.failures = provider.failures + 1 if isinstance(outcome, Failed) else 0
    return outcome


def _resolver(settings: Blocklists, loop: asyncio.AbstractEventLoop) -> aiodns.DNSResolver:
    """A resolver of its own for every inquiry, so that no answer cached by an earlier scan is read again."""
    for address in settings.resolvers:
        if not is_address(address):
            raise SettingsError(f"blocklists.resolvers: {address!r} is not an IP address")
    return aiodns.DNSResolver(
        nameservers=settings.resolvers or None,
        loop=loop,
        timeout=settings.timeout_s,
        tries=settings.tries,
        udp_port=settings.port,
        tcp_port=settings.port,
    )
