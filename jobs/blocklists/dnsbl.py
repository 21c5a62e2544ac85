"""Ask blocklists over DNS (RFC 5782).

pydnsbl asks: it builds the name of each question and keeps many under way at once. Its own lists (several are
dead) and its reading of answers (it takes "you may not ask" for a listing) are not used; see `dnsbl_answer`.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeVar

import aiodns
from aiodns.error import ARES_ETIMEOUT, DNSError
from pydnsbl.checker import BaseDNSBLChecker, DNSBLIpChecker
from pydnsbl.providers import Provider

from jobs.blocklists.answer import Clear, Failed, Look, LookOutcome, Raw, family_of, read_answer
from jobs.blocklists.rate_limit import Pacer
from jobs.blocklists.registered_domain import registered_domain
from schemas.blocklist_settings import Blocklists
from schemas.blocklists import Family, Zone
from schemas.domains import domain_name
from schemas.listing import ResourceKind
from schemas.settings_check import resolver_address

#: One for all: of a large scan nearly every outcome is this.
CLEAR = Clear()
#: c-ares (MIN_TIMEOUT_MS of its metrics): no question is sent again sooner.
SOONEST_S = 0.25
NO_ANSWER = Raw(None, DNSError(ARES_ETIMEOUT, "Timeout while contacting DNS servers"))
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


class QueryProgress(Protocol):
    """Receives how far the questions are."""

    def expect(self, questions: int) -> object:
        """So many more are to be asked."""

    def done(self, questions: int) -> object:
        """So many more are answered, or will not be."""


class NullProgress:
    def expect(self, questions: int) -> None:
        """Nobody wants to know."""

    def done(self, questions: int) -> None:
        """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How questions are put: by which settings, how fast, and where their progress is reported."""

    settings: Blocklists
    pacer: Pacer
    progress: QueryProgress


def query_options(settings: Blocklists, progress: QueryProgress | None = None) -> QueryOptions:
    """Questions at the pace of the settings, counted from now."""
    return QueryOptions(settings, Pacer(settings.queries_per_s), progress or NullProgress())


def questions(resources: Collection[Resource], zones: Sequence[Zone]) -> list[Question]:
    """Every resource at every zone that holds its like and is asked at all, ordered by resource."""
    asked = [zone for zone in zones if zone.asked_at]
    return [
        Question(each.name, zone)
        for each in sorted(set(resources), key=lambda each: each.name)
        for like in [like_of(each)]
        for zone in asked
        if holds(zone, like)
    ]


class Like(NamedTuple):
    """What decides which zones are asked about a resource: its family, and whether it is a name below the domain that
    was registered."""

    family: Family
    below: bool


def like_of(resource: Resource) -> Like:
    """What a resource is like.

    Raises:
        ValueError: of the kind "ip", and no IP address.
    """
    kind, name = resource
    return Like(family_of(kind, name), kind == "domain" and registered_domain(name) not in {name, ""})


def holds(zone: Zone, like: Like) -> bool:
    """Whether the zone holds the like of a resource. Zones of registered domains are not asked about names below."""
    return like.family in zone.holds and not (like.below and zone.names == "registered")


#: Says of each question that is to be put through a resolver why it must not be; empty where it may.
Unfit = Callable[[Sequence[Question], str], Awaitable[Sequence[str]]]


async def look(
    asked: Sequence[Question],
    settings: Blocklists | QueryOptions,
    resolvers: Sequence[str] | None = None,
    unfit: Unfit | None = None,
) -> list[Look]:
    """The answer to every question, ordered by resource and zone.

    The first of the resolvers (by default those of the settings) is asked everything, each following one what failed
    before it; what a resolver is `unfit` for counts as failed there. What failed everywhere carries the first failure;
    a refusal is not asked again. Runs in whatever loop awaits it, in any thread.

    Raises:
        SettingsError: a resolver is not an IP address.
    """
    how = settings if isinstance(settings, QueryOptions) else query_options(settings)
    order = list(how.settings.resolvers if resolvers is None else resolvers) or [""]
    found: dict[tuple[str, str], Look] = {}
    open_questions = list(asked)
    for resolver in order:
        fit, looks = open_questions, []
        reasons = await unfit(open_questions, resolver) if unfit else ()
        if any(reasons):
            fit = [each for each, reason in zip(open_questions, reasons, strict=True) if not reason]
            looks = [
                Look(each.name, each.zone, Failed(reason), resolver)
                for each, reason in zip(open_questions, reasons, strict=True)
                if reason
            ]
        for each in chain(looks, await _round(fit, how, resolver)):
            key = (each.resource, each.zone.zone)
            if key not in found or not _again(each.outcome):
                found[key] = each
        open_questions = [each for each in open_questions if _again(found[each.name, each.zone.zone].outcome)]
        if not open_questions:
            break
    return [found[key] for key in sorted(found)]


async def ask_verbatim(
    names: Sequence[tuple[str, Zone]], how: QueryOptions, resolver: str
) -> dict[tuple[str, str], Raw]:
    """The answers to names that are put before the zone as they are, by name and zone.

    Raises:
        SettingsError: the resolver is not an IP address.
    """
    found: dict[tuple[str, str], Raw] = {}

    async def ask(checkers: _Checkers, question: tuple[str, Zone]) -> None:
        name, zone = question
        try:
            found[name, zone.zone] = await checkers.request(checkers.verbatim, name, zone, Provider(zone.asked_at))
        except UnicodeError:
            found[name, zone.zone] = Raw(None, DNSError(-1, "not a name that can be asked"))

    await _spread([(each, each[1]) for each in names if each[1].asked_at], how, resolver, ask)
    return found


def _again(outcome: LookOutcome) -> bool:
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


class _DomainChecker(BaseDNSBLChecker):  # type: ignore[misc]
    """Asks about any domain: pydnsbl's own takes only registered names of up to 30 letters."""

    def prepare_query(self, request: str) -> str:
        name = domain_name(request)
        if not name:
            raise ValueError(f"{request!r} is not a domain")
        return name


class _VerbatimChecker(BaseDNSBLChecker):  # type: ignore[misc]
    """Asks what it is given: the names of RFC 5782's self-test are no domains pydnsbl would take."""

    def prepare_query(self, request: str) -> str:
        return request


class _Checkers:
    """pydnsbl's checkers on one resolver, and the room for questions under way."""

    def __init__(self, how: QueryOptions, resolver: aiodns.DNSResolver) -> None:
        many = how.settings.concurrency
        options = {"providers": [], "concurrency": many, "loop": asyncio.get_running_loop()}
        self.verbatim = _VerbatimChecker(**options)
        self.by_kind: dict[ResourceKind, BaseDNSBLChecker] = {
            "ip": _IpChecker(**options),
            "domain": _DomainChecker(**options),
        }
        self._resolver = resolver
        self._pacer = how.pacer
        self._room = asyncio.Semaphore(many)
        self._patience_s = how.settings.timeout_s * how.settings.tries

    async def request(self, checker: BaseDNSBLChecker, name: str, zone: Zone, provider: Provider) -> Raw:
        """Put a question once it may be put to the zone, and wait for the answer as long as the settings say.

        Raises:
            ValueError: nothing that can be asked about.
        """
        await self._pacer.turn(zone)
        async with self._room:
            try:
                async with asyncio.timeout(self._patience_s):
                    response: Any = await checker.dnsbl_request(name, provider)
            except TimeoutError:
                return NO_ANSWER
        records = response.response
        return Raw(None if records is None else tuple(record.host for record in records), response.error)

    async def use_ours(self) -> None:
        """They come with resolvers of the system's addresses on port 53, and take no other."""
        for checker in (self.verbatim, *self.by_kind.values()):
            await checker._resolver.close()
            checker._resolver = self._resolver


Asked = TypeVar("Asked")
Ask = Callable[[_Checkers, Asked], Awaitable[None]]


async def _round(asked: Sequence[Question], how: QueryOptions, resolver: str) -> list[Look]:
    found: list[Look] = []
    providers = {each.zone.zone: _ZoneProvider(each.zone) for each in asked}
    how.progress.expect(len(asked))

    async def ask(checkers: _Checkers, question: Question) -> None:
        name, zone = question
        outcome = await _ask(checkers, name, zone, providers[zone.zone])
        found.append(Look(name, zone, outcome, resolver))
        how.progress.done(1)

    await _spread([(each, each.zone) for each in asked], how, resolver, ask)
    return found


async def _spread(asked: Iterable[tuple[Asked, Zone]], how: QueryOptions, resolver: str, ask: Ask[Asked]) -> None:
    """Ask everything, each zone by itself: one that is slow keeps no other waiting."""
    by_zone: dict[str, tuple[Zone, list[Asked]]] = {}
    for each, zone in asked:
        by_zone.setdefault(zone.zone, (zone, []))[1].append(each)
    if not by_zone:
        return
    ours = _resolver(how.settings, resolver)
    try:
        checkers = _Checkers(how, ours)
        await checkers.use_ours()
        async with asyncio.TaskGroup() as group:
            for zone, several in by_zone.values():
                group.create_task(_spread_one(checkers, zone, several, how, ask))
    finally:
        # What was not waited for would be answered when the loop is gone.
        ours.cancel()
        await ours.close()


async def _spread_one(
    checkers: _Checkers, zone: Zone, several: Sequence[Asked], how: QueryOptions, ask: Ask[Asked]
) -> None:
    began, waiting = how.pacer.now(), iter(several)
    # As many workers as questions may be under way: a task a question could be a million tasks.
    async with asyncio.TaskGroup() as group:
        for _ in range(min(how.settings.zone_concurrency, len(several))):
            group.create_task(_work(checkers, waiting, ask))
    how.pacer.took(zone, len(several), how.pacer.now() - began)


async def _work(checkers: _Checkers, waiting: Iterator[Asked], ask: Ask[Asked]) -> None:
    for question in waiting:
        await ask(checkers, question)


async def _ask(checkers: _Checkers, name: str, zone: Zone, provider: _ZoneProvider) -> LookOutcome:
    if provider.failures >= GIVE_UP_AFTER:
        return Failed(f"not asked: the zone failed {GIVE_UP_AFTER} times in a row")
    try:
        raw = await checkers.request(checkers.by_kind[zone.kind], name, zone, provider)
    except ValueError as error:
        return Failed(f"cannot be asked about: {error}")
    outcome = CLEAR if raw == (None, None) else read_answer(zone, raw.codes or (), raw.error)
    provider.failures = provider.failures + 1 if isinstance(outcome, Failed) else 0
    return outcome


def _resolver(settings: Blocklists, address: str) -> aiodns.DNSResolver:
    """A resolver of its own for every round, so that no answer cached by an earlier scan is read again."""
    host, port = resolver_address(address, settings.port) if address else ("", settings.port)
    return aiodns.DNSResolver(
        nameservers=[host] if host else None,
        loop=asyncio.get_running_loop(),
        timeout=settings.timeout_s,
        tries=max(settings.tries, _tries(settings.timeout_s)),
        udp_port=port,
        tcp_port=port,
    )


def _tries(timeout_s: float) -> int:
    """How often c-ares has to try so that a slow answer is waited for.

    Once it knows a resolver to be fast, it tries again after `SOONEST_S`, and each further time after twice as long;
    but what the resolver has to ask a list far away takes longer than what it knows.
    """
    return max(1, math.ceil(math.log2(timeout_s / SOONEST_S + 1)))
