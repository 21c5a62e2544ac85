"""What one machine carries with everything in one process, and how late an alert is.

    python -m benchmarks.reach

First a simulated day goes through the whole embedded stack flat out, as in `repmon demo`: simulator, broker,
ingest, store, monitor, interface. That is its capacity. Then, while the fleet goes on at a share of that, made-up
senders with a bad list begin to send one after the other; an alert's delay is from the acknowledgement of the
bounces that cause it to its arrival at a consumer of `reputation.alerts`. Where it goes is told apart: until the last
of a sender's events is stored, from there until its judgement begins, and until the alert.
"""

import argparse
import asyncio
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import msgspec

from api.stack.up import Stack
from benchmarks import results
from benchmarks.measure import Peak, cores, percentile
from benchmarks.results import Figure
from jobs import simulate
from schemas.alert import AlertEvent
from schemas.event import MailEvent
from schemas.settings import Api, Embedded, Settings
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS, REPUTATION_ALERTS
from streams.intake.flush import Flushed
from streams.intake.flusher import Flusher
from streams.io.broker import Publisher, consumer
from streams.monitor.batch import BatchJudge, BatchResult

MESSAGES = 1_000_000
CUSTOMERS = 200
#: Shares of the capacity at which alerts are timed, and how many senders at each.
SHARES = (0.1, 0.5, 0.9)
SENDERS = 30
#: Recipients of one made-up sender: delivered at first, then bounced.
DELIVERED, BOUNCED = 400, 200
NEXT_SENDER_S = 1.0
LAST_ALERT_S = 30.0
#: How names of made-up senders begin.
NAMED = "reach-"
DAY_S = 600.0

ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Delay:
    """How long (s) after its cause a sender's first alert arrived, and of that: until the cause was stored, until the
    judgement began that led to the alert, and from there."""

    total: float
    stored: float
    waited: float
    judged: float


@dataclass(frozen=True, slots=True)
class Seen:
    """When (monotonic) each made-up sender was stored last, and judged last, before its alert."""

    stored: dict[str, float] = field(default_factory=dict)
    judged: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reach:
    """Memory is bytes of all processes together. `delays` are by share of the capacity, `rolls` how often the broker's
    topics were made again meanwhile."""

    events: int
    seconds: float
    peak_bytes: int
    delays: dict[float, list[Delay]]
    rolls: dict[float, int]

    @property
    def rate(self) -> float:
        """Events taken in a second, from the first sent to the last stored."""
        return self.events / self.seconds


async def measure(messages: int, shares: Sequence[float], senders: int) -> Reach:
    """Run both halves in one stack."""
    with tempfile.TemporaryDirectory(prefix="repmon-reach-") as folder, Peak() as peak:
        settings = Settings(embedded=Embedded(data=folder, broker_port=0, store_port=0), api=Api(port=0))
        async with Stack(settings) as stack:
            events, seconds = await _day(stack, messages)
            delays, rolls = {}, {}
            for share in shares:
                rolls[share] = -_rolls(stack)
                delays[share] = await _delays(stack, share, events / seconds, senders)
                rolls[share] += _rolls(stack)
        return Reach(events, seconds, peak.bytes, delays, rolls)


def _rolls(stack: Stack) -> int:
    return stack._watch.rolls if stack._watch else 0


async def _day(stack: Stack, messages: int) -> tuple[int, float]:
    """A day flat out: how many events, and how long until the last was stored."""
    publisher = Publisher(stack.outside.kafka)
    options = simulate.SimulationOptions(customers=CUSTOMERS, messages=messages, rate=0)
    sent, publish = _counted(publisher)
    began = time.monotonic()
    await asyncio.to_thread(simulate.run, options, publish, now_ms=utc_now_ms, stop=threading.Event(), sleep=time.sleep)
    await asyncio.to_thread(publisher.flush, 120.0)
    metrics = stack.ingest.worker.metrics
    while metrics.stored < sent[0]:
        if stack.failed.done():
            raise stack.failed.result()
        if time.monotonic() - began > DAY_S:
            raise TimeoutError(f"{metrics.stored:,} of {sent[0]:,} events were stored within {DAY_S:g} s")
        await asyncio.sleep(0.01)
    return sent[0], time.monotonic() - began


def _counted(publisher: Publisher) -> tuple[list[int], simulate.Publish]:
    sent = [0]

    def publish(topic: str, key: bytes, value: bytes) -> None:
        publisher.publish(topic, key, value)
        sent[0] += 1

    return sent, publish


async def _delays(stack: Stack, share: float, capacity: float, senders: int) -> list[Delay]:
    """How late each made-up sender's first alert was, at a share of the capacity."""
    stop, caused, arrived, seen = threading.Event(), dict[str, float](), dict[str, float](), Seen()
    publisher = Publisher(stack.outside.kafka)
    options = simulate.SimulationOptions(
        seed=2, customers=CUSTOMERS, messages=0, live_rate=share * capacity, live_seconds=-1
    )
    fleet = threading.Thread(
        target=simulate.run, args=(options, publisher.publish, utc_now_ms, stop, time.sleep), name="fleet"
    )
    alerts = threading.Thread(target=_listen, args=(stack, arrived, stop), name="alerts")
    fleet.start()
    alerts.start()
    try:
        with _watched(seen, arrived):
            for number in range(senders):
                await asyncio.to_thread(_send, stack, f"{NAMED}{share:g}-{number}", caused)
                await asyncio.sleep(NEXT_SENDER_S)
            deadline = time.monotonic() + LAST_ALERT_S
            while not caused.keys() <= arrived.keys() and time.monotonic() < deadline:  # noqa: ASYNC110 - threads fill it
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await asyncio.to_thread(fleet.join)
        await asyncio.to_thread(alerts.join)
    return [delay(name, caused, arrived, seen) for name in caused if name in arrived]


def delay(name: str, caused: Mapping[str, float], arrived: Mapping[str, float], seen: Seen) -> Delay:
    """A sender's delay and its parts. What is stored only after the alert's judgement began had no part in it."""
    judged = seen.judged.get(name, arrived[name])
    stored = min(seen.stored.get(name, judged), judged)
    return Delay(
        total=arrived[name] - caused[name],
        stored=max(0.0, stored - caused[name]),
        waited=max(0.0, judged - max(stored, caused[name])),
        judged=arrived[name] - judged,
    )


@contextmanager
def _watched(seen: Seen, arrived: Mapping[str, float]) -> Iterator[None]:
    """Note when made-up senders without an alert are stored and judged, whichever monitor does it."""
    note, judge = Flusher._note, BatchJudge.judge_customers

    def noted(self: Flusher, flushed: Flushed) -> None:
        note(self, flushed)
        at = time.monotonic()
        seen.stored.update((each, at) for each in flushed.batch.customers if _waits(each, arrived))

    def judged(self: BatchJudge, customers: Iterable[str], now_ms: int) -> BatchResult:
        batch, at = list(customers), time.monotonic()
        seen.judged.update((each, at) for each in batch if _waits(each, arrived))
        return judge(self, batch, now_ms)

    with patch.object(Flusher, "_note", noted), patch.object(BatchJudge, "judge_customers", judged):
        yield


def _waits(customer: str, arrived: Mapping[str, float]) -> bool:
    return customer.startswith(NAMED) and customer not in arrived


def _send(stack: Stack, customer: str, caused: dict[str, float]) -> None:
    publisher = Publisher(stack.outside.kafka)
    for number in range(DELIVERED + BOUNCED):
        bad = number >= DELIVERED
        event = MailEvent(
            id=f"{customer}-{number}",
            type="bounced" if bad else "delivered",
            time=utc_now_ms(),
            customer=customer,
            recipient_domain="yahoo.com",
            smtp_code=550 if bad else 250,
            enhanced_status="5.1.1" if bad else "",
        )
        publisher.publish(MAIL_EVENTS, customer.encode(), ENCODE(event))
        if number in (DELIVERED - 1, DELIVERED + BOUNCED - 1):
            publisher.flush()
    caused[customer] = time.monotonic()


def _listen(stack: Stack, arrived: dict[str, float], stop: threading.Event) -> None:
    source = consumer(stack.settings.kafka, "reach")
    source.subscribe([REPUTATION_ALERTS])
    decode: Callable[[bytes], AlertEvent] = msgspec.json.Decoder(AlertEvent).decode
    while not stop.is_set():
        for message in source.consume(500, 0.1):
            if message.error() is None:
                alert = decode(message.value() or b"")
                if alert.data.customer.startswith(NAMED):
                    arrived.setdefault(alert.data.customer, time.monotonic())
    source.close()


def figures(reach: Reach, senders: int) -> Iterator[Figure]:
    """What came of it."""
    yield Figure(name="taken in", value=reach.rate, unit="events/s", note=f"{reach.events:,} events, sent to stored")
    yield Figure(name="peak memory", value=reach.peak_bytes / 1e6, unit="MB", note="all processes")
    for share, delays in reach.delays.items():
        note = (
            f"{len(delays)} of {senders} senders, {share * reach.rate:,.0f} events/s meanwhile, "
            f"topics made again {reach.rolls[share]} times"
        )
        totals = [each.total for each in delays]
        parts = (
            ("until its cause is stored", [each.stored for each in delays]),
            ("until it is judged", [each.waited for each in delays]),
            ("until the alert", [each.judged for each in delays]),
        )
        told = "; ".join(f"{name} {percentile(some, 50):.2f} to {max(some):.2f}" for name, some in parts)
        for name, value, said in (
            ("p50", percentile(totals, 50), note),
            ("p99", percentile(totals, 99), f"of that, median to worst: {told}"),
            ("worst", max(totals), ""),
        ):
            yield Figure(name=f"event to alert at {share:.0%} of that, {name}", value=value, unit="s", note=said)


def main(arguments: list[str]) -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description="What one machine carries, and how late an alert is.")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="messages in the day that is played back")
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES, help="shares of the capacity")
    parser.add_argument("--senders", type=int, default=SENDERS, help="made-up senders at each share")
    parser.add_argument("--trial", action="store_true", help="keep the result apart from the real ones")
    chosen = parser.parse_args(arguments)
    found = list(figures(asyncio.run(measure(chosen.messages, chosen.shares, chosen.senders)), chosen.senders))
    command = shlex.join(["python", "-m", "benchmarks.reach", *arguments])
    results.save("reach", command, figures=found, trial=chosen.trial)
    print(f"one process with everything in it, {cores()}")
    for each in found:
        print(f"  {each.name:<40} {each.value:>12,.2f} {each.unit}  ({each.note})")


if __name__ == "__main__":
    main(sys.argv[1:])
