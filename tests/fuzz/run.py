"""What must hold of any adapter and any input: events that are in order or the one error, within bounds."""

import json
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
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
from tests.fuzz.seeds import NOW_MS, SEEDS

#: One input may take this long, in s: many times what the slowest takes on a busy machine.
PATIENCE_S = 5.0
#: Address space that may be added to what the process has, in bytes.
MEMORY = 1_000_000_000

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
    try:
        with _in_time():
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
        with _in_time():
            found = read_apart(cast(AnyReader[Any], adapt), raw, CONTEXT, lambda _: None)
            left = read_apart(cast(AnyReader[Any], adapt), found.rest, CONTEXT, lambda _: None) if found else None
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


@contextmanager
def _in_time() -> Iterator[None]:
    """End what hangs: also within the standard library."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise BrokenLawError(f"no answer within {PATIENCE_S} s")

    handler = signal.signal(signal.SIGALRM, late)
    timer = signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        # The test suite's own limit goes on where there is one.
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


def bound_memory() -> None:
    """Let the process have no more than `MEMORY` beyond what it has: an adapter that takes more fails. Linux only."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        now = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def run(
    seed: int, go_on: Callable[[int], bool], adapters: Mapping[str, AnyAdapter] | None = None, enough: int = 10
) -> Found:
    """Feed mutated seeds to the adapters in turn while `go_on(inputs so far)` and fewer than `enough` are broken."""
    random, found = Random(seed), Found()
    tried = adapters or {name: any_adapter(name) for name in SEEDS}
    others = [raw for raws in SEEDS.values() for raw in raws]
    number = 0
    while go_on(number) and len(found.broken) < enough:
        for name, adapt in tried.items():
            raw = mutated(random.choice(SEEDS[name]), others, random)
            number += 1
            try:
                found.counts[name, hold(adapt, raw)] += 1
            except BrokenLawError as error:
                found.counts[name, "broken"] += 1
                found.broken.append((name, raw, str(error)))
    return found


def until(seconds: float) -> Callable[[int], bool]:
    """Go on for so long."""
    end = time.monotonic() + seconds
    return lambda _: time.monotonic() < end
