"""What one machine carries with everything in one process, and how late an alert is.

    python -m benchmarks.reach

First a simulated day goes through the whole embedded stack flat out, as in `repmon demo`: simulator, broker,
ingest, store, monitor, interface. That is its capacity. Then, while the fleet goes on at a share of that, made-up
senders with a bad list begin to send one after the other; an alert's delay is from the acknowledgement of the
bounces that cause it to its arrival at a consumer of `reputation.alerts`.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
from streams.io.broker import Publisher, consumer

MESSAGES = 1_000_000
CUSTOMERS = 200
#: Shares of the capacity at which alerts are timed, and how many senders at each.
SHARES = (0.1, 0.5, 0.9)
SENDERS = 30
#: Recipients of one made-up sender: delivered at first, then bounced.
DELIVERED, BOUNCED = 400, 200
NEXT_SENDER_S = 1.0
LAST_ALERT_S = 30.0
DAY_S = 600.0

ENCODE = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reach:
    """Memory is bytes of all processes together. `delays` (s) are by share of the capacity."""

    events: int
    seconds: float
    peak_bytes: int
    delays: dict[float, list[float]]

    @property
    def rate(self) -> float:
        """Events taken in a second, from the first sent to the last stored."""
        return self.events / self.seconds


async def measure() -> Reach:
    """Run both halves in one stack."""
    with tempfile.TemporaryDirectory(prefix="repmon-reach-") as folder, Peak() as peak:
        settings = Settings(embedded=Embedded(data=folder, broker_port=0, store_port=0), api=Api(port=0))
        async with Stack(settings) as stack:
            events, seconds = await _day(stack)
            delays = {share: await _delays(stack, share, events / seconds) for share in SHARES}
        return Reach(events, seconds, peak.bytes, delays)


async def _day(stack: Stack) -> tuple[int, float]:
    """A day flat out: how many events, and how long until the last was stored."""
    publisher = Publisher(stack.outside.kafka)
    options = simulate.SimulationOptions(customers=CUSTOMERS, messages=MESSAGES, rate=0)
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


async def _delays(stack: Stack, share: float, capacity: float) -> list[float]:
    """How long (s) after its cause each made-up sender's first alert arrived, at a share of the capacity."""
    stop, caused, arrived = threading.Event(), dict[str, float](), dict[str, float]()
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
        for number in range(SENDERS):
            await asyncio.to_thread(_send, stack, f"reach-{share:g}-{number}", caused)
            await asyncio.sleep(NEXT_SENDER_S)
        deadline = time.monotonic() + LAST_ALERT_S
        while not caused.keys() <= arrived.keys() and time.monotonic() < deadline:  # noqa: ASYNC110 - a thread fills it
            await asyncio.sleep(0.05)
    finally:
        stop.set()
        await asyncio.to_thread(fleet.join)
        await asyncio.to_thread(alerts.join)
    return [arrived[name] - caused[name] for name in caused if name in arrived]


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
                if alert.data.customer.startswith("reach-"):
                    arrived.setdefault(alert.data.customer, time.monotonic())
    source.close()


def _figures(reach: Reach) -> Iterator[Figure]:
    yield Figure(name="taken in", value=reach.rate, unit="events/s", note=f"{reach.events:,} events, sent to stored")
    yield Figure(name="peak memory", value=reach.peak_bytes / 1e6, unit="MB", note="all processes")
    for share, delays in reach.delays.items():
        note = f"{len(delays)} of {SENDERS} senders, {share * reach.rate:,.0f} events/s meanwhile"
        for name, value in (("p50", percentile(delays, 50)), ("p99", percentile(delays, 99)), ("worst", max(delays))):
            yield Figure(name=f"event to alert at {share:.0%} of that, {name}", value=value, unit="s", note=note)


def main() -> None:
    """Measure, print and save."""
    figures = list(_figures(asyncio.run(measure())))
    results.save("reach", "python -m benchmarks.reach", figures=figures)
    print(f"one process with everything in it, {cores()}")
    for each in figures:
        print(f"  {each.name:<40} {each.value:>12,.2f} {each.unit}  ({each.note})")


if __name__ == "__main__":
    main()
