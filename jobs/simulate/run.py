"""Sends the simulated mail: a history at a steady rate, then mail of the present until asked to stop."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from jobs.simulate.fleet import build_fleet
from jobs.simulate.ledger import Ledger
from jobs.simulate.profiles import SimulationError
from jobs.simulate.timed import TimedMessage
from jobs.simulate.traffic import Traffic
from jobs.simulate.trouble import Trouble
from jobs.simulate.truth import Truth
from schemas.times import HOUR_MS

#: Pause between two looks at the clock.
SLICE_S = 0.02
#: Events between two looks at `stop` when there is no rate.
CHUNK = 1_000
#: Live, complaints come after a median of 36 s instead of 2 h, so that a short session shows true rates.
LIVE_HURRY = 200.0

#: Topic, key, value.
Publish = Callable[[str, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to send. `messages` are spread over `span_hours` before now; about 1.04 events come of each.

    `rate` and `live_rate` are events/s; a `rate` of 0 is as fast as it goes. `live_seconds` is how long live
    mail follows: 0 for none, below 0 until stopped. `fbl_domains` replaces the flags of `profiles.toml`.
    Of mail that meets one of `troubles` the outcome is not its customer's.

    Raises:
        SimulationError: a number is out of range.
    """

    seed: int = 1
    customers: int = 200
    messages: int = 750_000
    span_hours: float = 24.0
    rate: float = 20_000.0
    live_rate: float = 500.0
    live_seconds: float = 0.0
    fbl_domains: frozenset[str] | None = None
    troubles: tuple[Trouble, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("messages", 0), ("rate", 0), ("live_rate", 0)):
            if getattr(self, name) < least:
                raise SimulationError(f"{name} is at least {least}, not {getattr(self, name)}")
        if self.span_hours <= 0:
            raise SimulationError(f"span_hours is more than 0, not {self.span_hours}")


def open_ledger(options: SimulationOptions) -> Ledger:
    """The ledger of a run to come, to look at the truth while `run` is under way.

    Raises:
        SimulationError: the fleet cannot be built.
    """
    return Ledger(build_fleet(options.seed, options.customers, options.fbl_domains, options.troubles))


def run(
    options: SimulationOptions,
    publish: Publish,
    now_ms: Callable[[], int],
    stop: threading.Event,
    sleep: Callable[[float], object],
    ledger: Ledger | None = None,
) -> Truth:
    """Send the history and the live mail, and say what was sent. An event counts once `publish` has returned.

    `now_ms` is epoch ms, UTC; `sleep` takes seconds. With a `ledger` from `open_ledger` of the same options,
    `ledger.truth()` may be read from another thread meanwhile. What `publish` raises ends the run.

    Raises:
        SimulationError: the fleet cannot be built.
    """
    book = open_ledger(options) if ledger is None else ledger

    def send(sent: TimedMessage) -> None:
        publish(sent.topic, sent.key, sent.value)
        book.record(sent)

    end_ms = now_ms()
    start_ms = end_ms - round(options.span_hours * HOUR_MS)
    traffic = Traffic(book.fleet, options.seed, start_ms, end_ms)
    _paced(traffic.generate(start_ms, end_ms, options.messages), options.rate, send, now_ms, stop, sleep)
    if options.live_seconds:
        _live(traffic, end_ms, options, send, now_ms, stop, sleep)
    return book.truth()


def _paced(
    events: Iterator[TimedMessage],
    rate: float,
    send: Callable[[TimedMessage], None],
    now_ms: Callable[[], int],
    stop: threading.Event,
    sleep: Callable[[float], object],
) -> None:
    """Send all at `rate`. What is due follows from the time since it began, so pauses do not add up."""
    began_ms = now_ms()
    sent = 0
    while not stop.is_set():
        due = int(rate * (now_ms() - began_ms) / 1000) - sent if rate else CHUNK
        if due > 0:
            due = min(due, max(CHUNK, int(rate)))
            part = list(islice(events, due))
            for each in part:
                send(each)
            sent += len(part)
            if len(part) < due:
                return
        if rate:
            sleep(SLICE_S)


def _live(
    traffic: Traffic,
    from_ms: int,
    options: SimulationOptions,
    send: Callable[[TimedMessage], None],
    now_ms: Callable[[], int],
    stop: threading.Event,
    sleep: Callable[[float], object],
) -> None:
    """Send mail of the present. It begins where the history ended, so that no complaint falls in between."""
    began_ms = now_ms()
    until_ms = began_ms + options.live_seconds * 1000 if options.live_seconds > 0 else float("inf")
    done_ms = from_ms
    sent = 0
    while not stop.is_set() and done_ms < until_ms:
        upto_ms = now_ms()
        if upto_ms > done_ms:
            due = int(options.live_rate * (upto_ms - began_ms) / 1000) - sent
            for each in traffic.generate(done_ms, upto_ms, max(0, due), LIVE_HURRY):
                send(each)
                sent += 1
            done_ms = upto_ms
        sleep(SLICE_S)
