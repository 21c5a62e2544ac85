"""What must hold of any adapter and any input: events that are in order or the one error, within bounds."""

import json
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec

from schemas.blocklists import load_zones, not_a_listing
from schemas.event import MAX_CUSTOMER_BYTES, MailEvent
from schemas.listing import BlocklistEvent
from schemas.providers import load_providers
from streams.adapt import (
    LISTING_FORMATS,
    Adapter,
    AdaptError,
    Context,
    FormatOptions,
    ListingAdapter,
    Lists,
    adapter,
    listing_adapter,
)
from streams.adapt.apart import AnyAdapter as AnyReader
from streams.adapt.apart import read_apart
from streams.adapt.base import ReportTrust
from streams.adapt.canonical import decode_canonical
from streams.adapt.outside import resource_of
from tests.fuzz.mutate import mutated
from tests.fuzz.patience import patience
from tests.fuzz.seeds import NOW_MS, SEEDS

#: One input may take this long, in s of the processor: many times what the slowest takes.
PATIENCE_S = 5.0
#: Address space that may be added to what the process has, in bytes.
MEMORY = 1_000_000_000
#: A run ends when so many inputs broke a law.
ENOUGH = 10

CONTEXT = Context(
    b"a key",
    load_providers(),
    {name: FormatOptions(default_customer="house", trust=ReportTrust(max_recipients=10_000)) for name in SEEDS},
    clock=lambda: NOW_MS,
    lists=Lists({zone.zone: zone for zone in load_zones()}),
)
#: Of mail, or of an outside blocklist monitor.
AnyAdapter = Adapter | ListingAdapter


def any_adapter(name: str) -> AnyAdapter:
    """The adapter of any format."""
    return listing_adapter(name) if name in LISTING_FORMATS else adapter(name)


class BrokenLawError(AssertionError):
    """An adapter did something else than it may."""


@dataclass(slots=True)
class Found:
    """What a run has seen: inputs by format and outcome, and the inputs that broke a law with how."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: list[tuple[str, bytes, str]] = field(default_factory=list)


def hold(adapt: AnyAdapter, raw: bytes) -> str:
    """How an adapter answers: `events`, `none` or `refused`.

    Raises:
        BrokenLawError: in any other way.
    """
    with patience(PATIENCE_S, _late()) as watch:
        watch.begin()
        return _answer(adapt, raw)


def _late() -> BrokenLawError:
    return BrokenLawError(f"no answer within {PATIENCE_S} s")


def _answer(adapt: AnyAdapter, raw: bytes) -> str:
    try:
        events = adapt(raw, CONTEXT)
    except AdaptError as error:
        if not str(error) or len(str(error)) > 2_000:
            raise BrokenLawError(f"an error of {len(str(error))} characters") from error
        return _hold_apart(adapt, raw)
    except Exception as error:
        raise BrokenLawError(f"{type(error).__name__}: {str(error)[:200]}") from error
    return _held(events)


def _held(events: Sequence[MailEvent | BlocklistEvent]) -> str:
    for event in events:
        if isinstance(event, BlocklistEvent):
            _listing_in_order(event)
        else:
            _in_order(event)
    return "events" if events else "none"


def _hold_apart(adapt: AnyAdapter, raw: bytes) -> str:
    """How what is refused is read record by record. What is left of it is bad too, and holds nothing that counts."""
    try:
        reader = cast("AnyReader[Any]", adapt)
        found = read_apart(reader, raw, CONTEXT, lambda _: None)
        left = read_apart(reader, found.rest, CONTEXT, lambda _: None) if found else None
    except Exception as error:
        raise BrokenLawError(f"apart: {type(error).__name__}: {str(error)[:200]}") from error
    if found is None:
        return "refused"
    if left is not None and left.events and not found.bad_share:
        raise BrokenLawError("what is left of a message counts")
    return _held(found.events)


def _in_order(event: MailEvent) -> None:
    if event.recipient:
        raise BrokenLawError("the recipient is still open")
    if not event.customer.strip() or len(event.customer.encode()) > MAX_CUSTOMER_BYTES:
        raise BrokenLawError(f"the customer is {event.customer[:300]!r}")
    if not event.provider:
        raise BrokenLawError("there is no provider")
    try:
        encoded = msgspec.json.encode(event)
        decode_canonical(encoded)
        json.loads(encoded)
    except (AdaptError, ValueError) as error:
        raise BrokenLawError(f"the event is not canonical: {error}") from error


def _listing_in_order(event: BlocklistEvent) -> None:
    if not event.monitor:
        raise BrokenLawError("it seems to be of our own scan")
    if refused := [code for code in event.codes if not_a_listing(code, {})]:
        raise BrokenLawError(f"{refused[0][:100]!r} is taken for a listing")
    try:
        if resource_of(event.resource) != (event.kind, event.resource):
            raise BrokenLawError(f"{event.resource[:300]!r} is not as our own scan names it")
        encoded = msgspec.json.encode(event)
        if msgspec.json.decode(encoded, type=BlocklistEvent) != event:
            raise BrokenLawError("the event is read otherwise than it was written")
        json.loads(encoded)
    except (AdaptError, ValueError) as error:
        raise BrokenLawError(f"the topic of listings does not take the event: {error}") from error


def bound_memory() -> None:
    """Let the process have no more than `MEMORY` beyond what it has: an adapter that takes more fails. Linux only."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        now = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def inputs(seed: int, portion: int, names: Sequence[str] = tuple(SEEDS)) -> Iterator[tuple[str, bytes]]:
    """Mutated seeds of the formats in turn, without end: the same ones for the same seed and portion."""
    random = Random(f"{seed}/{portion}")
    others = [raw for raws in SEEDS.values() for raw in raws]
    while True:
        for name in names:
            yield name, mutated(random.choice(SEEDS[name]), others, random)


def run(
    seed: int,
    most: int,
    adapters: Mapping[str, AnyAdapter] | None = None,
    *,
    portion: int = 0,
    enough: int = ENOUGH,
    note: Callable[[int], None] = lambda _: None,
) -> Found:
    """Feed `most` inputs of a portion to the adapters in turn while fewer than `enough` are broken.

    `note` is told the number of each input, from 0, before it is read.
    """
    found = Found()
    tried = adapters or {name: any_adapter(name) for name in SEEDS}
    with patience(PATIENCE_S, _late()) as watch:
        for number, (name, raw) in enumerate(islice(inputs(seed, portion, tuple(tried)), most)):
            note(number)
            try:
                watch.begin()
                found.counts[name, _answer(tried[name], raw)] += 1
            except BrokenLawError as error:
                found.counts[name, "broken"] += 1
                found.broken.append((name, raw, str(error)))
                if len(found.broken) >= enough:
                    break
            finally:
                watch.reading = False
    return found
