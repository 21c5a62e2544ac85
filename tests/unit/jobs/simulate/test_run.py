"""How the simulator sends: at its rate, on time, and so that the truth covers exactly what was sent."""

import threading
from collections.abc import Callable

import msgspec
import pytest

from jobs.simulate import SimulationError, SimulationOptions, open_ledger, run
from jobs.simulate.truth import Truth
from schemas.event import MailEvent
from schemas.listing import BlocklistEvent
from schemas.times import HOUR_MS
from schemas.topics import MAIL_EVENTS

NOW_MS = 1_790_000_000_000


class World:
    """A clock that moves only when someone sleeps, and a broker that remembers."""

    def __init__(self) -> None:
        self.now = float(NOW_MS)
        self.sent: list[tuple[float, str, bytes, bytes]] = []
        self.stop = threading.Event()
        self.publishing_takes_ms = 0.0
        self.on_sleep: Callable[[], None] = lambda: None

    def now_ms(self) -> int:
        return int(self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds * 1000
        self.on_sleep()

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        self.now += self.publishing_takes_ms
        self.sent.append((self.now, topic, key, value))

    def run(self, options: SimulationOptions) -> Truth:
        return run(options, self.publish, self.now_ms, self.stop, self.sleep)

    def times(self) -> list[int]:
        """Event times, duplicates left out."""
        seen: dict[str, int] = {}
        for _, topic, _, value in self.sent:
            event: MailEvent | BlocklistEvent
            if topic == MAIL_EVENTS:
                event = msgspec.json.decode(value, type=MailEvent)
            else:
                event = msgspec.json.decode(value, type=BlocklistEvent)
            seen.setdefault(event.id, event.time_ms)
        return list(seen.values())


@pytest.fixture
def world() -> World:
    return World()


def test_history_covers_the_span_before_now_in_order(world: World) -> None:
    truth = world.run(SimulationOptions(customers=20, messages=3_000, rate=0))
    times = world.times()
    assert times == sorted(times)
    assert NOW_MS - 24 * HOUR_MS <= times[0] < NOW_MS - 23 * HOUR_MS
    assert NOW_MS - HOUR_MS < times[-1] < NOW_MS
    assert truth.events + truth.listing_events == len(world.sent)
    assert truth.events - truth.duplicates >= 3_000


def test_runs_of_one_seed_and_start_send_the_same_bytes() -> None:
    one, other = World(), World()
    options = SimulationOptions(seed=5, customers=20, messages=2_000, rate=1_000)
    assert one.run(options) == other.run(options)
    assert [each[1:] for each in one.sent] == [each[1:] for each in other.sent]


def test_history_is_sent_at_its_rate(world: World) -> None:
    world.run(SimulationOptions(customers=20, messages=5_000, rate=1_000))
    for number, (at, *_) in enumerate(world.sent):
        assert at - NOW_MS == pytest.approx(number, abs=25)


def test_slow_publishing_does_not_add_up_to_a_drift(world: World) -> None:
    world.publishing_takes_ms = 0.7
    world.run(SimulationOptions(customers=20, messages=5_000, rate=1_000))
    for number, (at, *_) in enumerate(world.sent):
        assert at - NOW_MS == pytest.approx(number, abs=120)


def test_without_a_rate_nobody_sleeps(world: World) -> None:
    world.run(SimulationOptions(customers=5, messages=2_500, rate=0))
    assert world.now == NOW_MS


def test_live_mail_has_the_time_of_the_present_and_its_own_rate(world: World) -> None:
    world.run(SimulationOptions(customers=20, messages=2_000, rate=0, live_rate=500, live_seconds=20))
    lags = []
    for at, topic, _, value in world.sent:
        if topic == MAIL_EVENTS and at > NOW_MS:
            lags.append(at - msgspec.json.decode(value, type=MailEvent).time_ms)
    assert len(lags) == pytest.approx(20 * 500, rel=0.02)
    assert sum(1 for each in lags if 0 <= each <= 50) > 0.95 * len(lags)
    assert world.now == pytest.approx(NOW_MS + 20_000, abs=50)


def test_complaints_due_between_history_and_live_mail_are_not_lost(world: World) -> None:
    world.publishing_takes_ms = 20.0
    world.run(SimulationOptions(customers=20, messages=3_000, rate=0, live_rate=0, live_seconds=1))
    assert world.sent
    began_live_ms = next(at for at, *_ in reversed(world.sent))
    times = world.times()
    assert times == sorted(times)
    assert any(NOW_MS <= each < began_live_ms for each in times)


def test_live_mail_brings_complaints_within_minutes(world: World) -> None:
    truth = world.run(SimulationOptions(customers=20, messages=0, rate=0, live_rate=500, live_seconds=120))
    assert sum(each.counts.complained for each in truth.customers) > 10


def test_live_mail_goes_on_until_stopped(world: World) -> None:
    def stop_later() -> None:
        if world.now > NOW_MS + 7_000:
            world.stop.set()

    world.on_sleep = stop_later
    world.run(SimulationOptions(customers=5, messages=100, rate=0, live_rate=100, live_seconds=-1))
    assert NOW_MS + 7_000 < world.now < NOW_MS + 7_100


def test_stop_ends_the_history_and_the_truth_covers_what_was_sent(world: World) -> None:
    def stop_later() -> None:
        if world.now > NOW_MS + 1_000:
            world.stop.set()

    world.on_sleep = stop_later
    truth = world.run(SimulationOptions(customers=20, messages=50_000, rate=1_000, live_seconds=-1))
    assert truth.events + truth.listing_events == len(world.sent)
    assert 900 < len(world.sent) < 1_100


def test_truth_may_be_looked_at_at_any_moment() -> None:
    options = SimulationOptions(customers=20, messages=2_000, rate=0)
    ledger = open_ledger(options)
    world = World()
    looks: list[tuple[int, int]] = []

    def publish(topic: str, key: bytes, value: bytes) -> None:
        if len(world.sent) % 500 == 0:
            truth = ledger.truth()
            looks.append((truth.events + truth.listing_events, len(world.sent)))
        world.publish(topic, key, value)

    last = run(options, publish, world.now_ms, world.stop, world.sleep, ledger)
    assert len(looks) > 3
    assert all(counted == sent for counted, sent in looks)
    assert ledger.truth() == last


def test_event_that_was_not_published_is_not_in_the_truth() -> None:
    options = SimulationOptions(customers=5, messages=1_000, rate=0)
    ledger = open_ledger(options)
    world = World()

    def publish(topic: str, key: bytes, value: bytes) -> None:
        if len(world.sent) == 300:
            raise OSError("the broker is gone")
        world.publish(topic, key, value)

    with pytest.raises(OSError, match="the broker is gone"):
        run(options, publish, world.now_ms, world.stop, world.sleep, ledger)
    truth = ledger.truth()
    assert truth.events + truth.listing_events == 300


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"rate": -1}, "rate is at least 0, not -1"),
        ({"messages": -5}, "messages is at least 0, not -5"),
        ({"live_rate": -1}, "live_rate is at least 0"),
        ({"seed": -1}, "seed is at least 0"),
        ({"span_hours": 0}, "span_hours is more than 0"),
    ],
)
def test_impossible_option_is_refused(options: dict[str, float], complaint: str) -> None:
    with pytest.raises(SimulationError, match=complaint):
        SimulationOptions(**options)  # type: ignore[arg-type]
