"""Ask blocklists over DNS (RFC 5782).

pydnsbl asks: it builds the name of each question and keeps many under way at once. Its own lists (several are
dead) and its reading of answers (it takes "you may not ask" for a listing) are not used; see `dnsbl_answer`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple, TypeVar

import aiodns
from aiodns.error import DNSError
from pydnsbl.checker import BaseDNSBLChecker, DNSBLDomainChecker, DNSBLIpChecker
from pydnsbl.providers import Provider

from jobs.dnsbl_answer import Clear, Failed, Look, Outcome, Raw, family_of, is_address, read_answer
from schemas.blocklists import Zone
from schemas.listing import ResourceKind
from schemas.settings import Blocklists, SettingsError

#: A zone that failed this often in a row is dead, or refuses us; the rest of the round leaves it in peace.
GIVE_UP_AFTER = 50


class Resource(NamedTuple):
    """What is looked up: an address or a domain, as its owner writes it."""

    kind: ResourceKind
    name: str


class Question(NamedTuple):
    """One resource at one zone."""

    name: str
    zone: Zone


def questions(resources: Collection[Resource], zones: Sequence[Zone]) -> list[Question]:
    """Every resource at every zone that holds its like and is asked at all, ordered by resource."""
    by_kind = {kind: [each for each in zones if each.kind == kind and each.asked_at] for kind in ("ip", "domain")}
    return [
        Question(name, zone)
        for kind, name in sorted(set(resources), key=lambda each: each.name)
        for family in [family_of(kind, name)]
        for zone in by_kind[kind]
        if family in zone.holds
    ]


async def look(asked: Sequence[Question], settings: Blocklists, resolvers: Sequence[str] | None = None) -> list[Look]:
    """The answer to every question, ordered by resource and zone.

    The first of the resolvers (by default those of the settings) is asked everything, each following one what failed
    before it. What failed everywhere carries the first failure; a refusal is not asked again. Runs in whatever loop
    awaits it, in any thread.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    order = list(settings.resolvers if resolvers is None else resolvers) or [""]
    found: dict[tuple[str, str], Look] = {}
    open_questions = list(asked)
    for resolver in order:
        for each in await _round(open_questions, settings, resolver):
            key = (each.resource, each.zone.zone)
            if key not in found or not _again(each.outcome):
                found[key] = each
        open_questions = [each for each in open_questions if _again(found[each.name, each.zone.zone].outcome)]
        if not open_questions:
            break
    return [found[key] for key in sorted(found)]


async def ask_verbatim(
    names: Sequence[tuple[str, Zone]], settings: Blocklists, resolver: str
) -> dict[tuple[str, str], Raw]:
    """The answers to names that are put before the zone as they are, by name and zone.

    Raises:
        SettingsError: the resolver is not an IP address.
    """
    found: dict[tuple[str, str], Raw] = {}

    async def ask(checkers: _Checkers, question: tuple[str, Zone]) -> None:
        name, zone = question
        try:
            response: Any = await checkers.verbatim.dnsbl_request(name, Provider(zone.asked_at))
        except UnicodeError:
            found[name, zone.zone] = Raw(None, DNSError(-1, "not a name that can be asked"))
            return
        found[name, zone.zone] = _raw(response)

    await _spread([each for each in names if each[1].asked_at], settings, resolver, ask)
    return found


def _again(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and not outcome.distrust


class _ZoneProvider(Provider):  # type: ignore[misc]
    """A zone as pydnsbl knows it, with the failures seen since it last answered."""

    def __init__(self, zone: Zone) -> None:
        super().__init__(zone.asked_at)
        self.failures = 0


class _IpChecker(DNSBLIpChecker):  # type: ignore[misc]
    """Asks about an IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) as the IPv4 address it is."""

    def prepare_query(self, request: str) -> str:
        address = ip_address(request)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(super().prepare_query(str(mapped or request)))


class _VerbatimChecker(BaseDNSBLChecker):  # type: ignore[misc]
    """Asks what it is given: the names of RFC 5782's self-test are no domains pydnsbl would take."""

    def prepare_query(self, request: str) -> str:
        return request


class _Checkers:
    """pydnsbl's checkers on one resolver."""

    def __init__(self, settings: Blocklists, resolver: aiodns.DNSResolver) -> None:
        options = {"providers": [], "concurrency": settings.concurrency, "loop": asyncio.get_running_loop()}
        self.verbatim = _VerbatimChecker(**options)
        self.by_kind: dict[ResourceKind, BaseDNSBLChecker] = {
            "ip": _IpChecker(**options),
            "domain": DNSBLDomainChecker(**options),
        }
        self._resolver = resolver

    async def use_ours(self) -> None:
        """They come with resolvers of the system's addresses on port 53, and take no other."""
        for checker in (self.verbatim, *self.by_kind.values()):
            await checker._resolver.close()
            checker._resolver = self._resolver


Asked = TypeVar("Asked")
Ask = Callable[[_Checkers, Asked], Awaitable[None]]


async def _round(asked: Sequence[Question], settings: Blocklists, resolver: str) -> list[Look]:
    found: list[Look] = []
    providers = {each.zone.zone: _ZoneProvider(each.zone) for each in asked}

    async def ask(checkers: _Checkers, question: Question) -> None:
        name, zone = question
        outcome = await _ask(checkers.by_kind[zone.kind], name, zone, providers[zone.zone])
        found.append(Look(name, zone, outcome, resolver))

    await _spread(asked, settings, resolver, ask)
    return found


async def _spread(asked: Sequence[Asked], settings: Blocklists, resolver: str, ask: Ask[Asked]) -> None:
    """Ask everything, `concurrency` at a time."""
    if not asked:
        return
    ours = _resolver(settings, resolver)
    try:
        checkers = _Checkers(settings, ours)
        await checkers.use_ours()
        waiting = iter(asked)
        # As many workers as questions may be under way: a task a question could be a million tasks.
        async with asyncio.TaskGroup() as group:
            for _ in range(min(settings.concurrency, len(asked))):
                group.create_task(_work(checkers, waiting, ask))
    finally:
        await ours.close()


async def _work(checkers: _Checkers, waiting: Iterator[Asked], ask: Ask[Asked]) -> None:
    for question in waiting:
        await ask(checkers, question)


async def _ask(checker: BaseDNSBLChecker, name: str, zone: Zone, provider: _ZoneProvider) -> Outcome:
    if provider.failures >= GIVE_UP_AFTER:
        return Failed(f"not asked: the zone failed {GIVE_UP_AFTER} times in a row")
    try:
        response: Any = await checker.dnsbl_request(name, provider)
    except ValueError as error:
        return Failed(f"cannot be asked about: {error}")
    raw = _raw(response)
    outcome = Clear() if raw == (None, None) else read_answer(zone, raw.codes or (), raw.error)
    provider.failures = provider.failures + 1 if isinstance(outcome, Failed) else 0
    return outcome


def _raw(response: Any) -> Raw:
    records = response.response
    return Raw(None if records is None else tuple(record.host for record in records), response.error)


def _resolver(settings: Blocklists, address: str) -> aiodns.DNSResolver:
    """A resolver of its own for every round, so that no answer cached by an earlier scan is read again."""
    if address and not is_address(address):
        raise SettingsError(f"blocklists.resolvers: {address!r} is not an IP address")
    return aiodns.DNSResolver(
        nameservers=[address] if address else None,
        loop=asyncio.get_running_loop(),
        timeout=settings.timeout_s,
        tries=settings.tries,
        udp_port=settings.port,
        tcp_port=settings.port,
    )
