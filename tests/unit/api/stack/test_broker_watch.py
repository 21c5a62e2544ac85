"""Keeping the embedded broker small, with a broker, a gate and a worker that only take down what is asked of them."""

import asyncio
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.stack import broker_watch
from api.stack.broker_watch import BACKLOG, CHANGES_PART, LEAST_BYTES, ROLLED, BrokerWatch
from api.stack.stages import IngestThread
from jobs.embedded.broker import EmbeddedBroker
from schemas.settings import Embedded, Settings
from schemas.topics import REPUTATION_CHANGES, Topic
from streams.intake.metrics import IngestMetrics
from streams.io.broker import BrokerError
from streams.io.store import StoreError


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once it holds; fail after 30 s."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of things that know no event
            await asyncio.sleep(0.005)


class Ground:
    """What the watch sees, and in `done` what it did, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.failure: BaseException | None = None
        self.metrics = IngestMetrics()
        self.gate = SimpleNamespace(
            produced_bytes=0,
            outside_bytes=0,
            inside_bytes=0,
            hold=self._hold,
            release=self._release,
            close=lambda: self.done.append("closed"),
            open=lambda: self.done.append("opened"),
            forget=self._forget,
        )
        #: What was remade each time.
        self.topics: list[set[str]] = []
        self.held = False
        #: What may pass until the next look, as it was said last, in bytes.
        self.allowed = math.inf
        self.broker = SimpleNamespace(gate=self.gate, exit_code=None, log_file="broker.log")
        #: What is to run once the worker has counted everything.
        self.drained: list[Callable[[], None]] = []
        self.behind = 0
        worker = SimpleNamespace(metrics=self.metrics, when_drained=self.drained.append, behind=lambda: self.behind)
        monkeypatch.setattr(broker_watch, "WATCH_S", 0.01)
        monkeypatch.setattr(broker_watch, "remake_topics", self._remade)
        self.watch = BrokerWatch(
            cast(EmbeddedBroker, self.broker),
            Settings(embedded=Embedded(roll_bytes=1000)),
            cast(IngestThread, SimpleNamespace(worker=worker)),
            self._failed,
            self._judging("off"),
            self._judging("on"),
        )

    async def saw(self, *done: str) -> None:
        """Wait until exactly this was done."""
        await eventually(lambda: self.done == list(done))

    def let_changes_grow(self) -> None:
        """So far that memory is given back, that of changes too."""
        self.gate.inside_bytes += 1000 // CHANGES_PART
        self.gate.produced_bytes = 1000

    def _remade(self, _: object, topics: list[Topic]) -> None:
        self.done.append("remade")
        self.topics.append({each.topic for each in topics})

    def _hold(self) -> None:
        self.done.append("hold")
        self.held = True

    def _release(self, allowed_bytes: float = math.inf) -> None:
        if self.held:  # it is said at each look, and means something only then
            self.done.append("release")
        self.held, self.allowed = False, allowed_bytes

    def _forget(self) -> None:
        self.gate.produced_bytes = 0

    def _judging(self, how: str) -> Any:
        async def judging() -> None:
            self.done.append(f"judging {how}")

        return judging

    def _failed(self, error: BaseException) -> None:
        self.failure = error


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Ground:
    return Ground(monkeypatch)


def test_producers_wait_while_too_much_is_uncounted(ground: Ground) -> None:
    async def run() -> None:
        ground.watch.start()
        ground.behind = BACKLOG[0] + 1
        await ground.saw("hold")
        ground.behind = BACKLOG[1] - 1
        await ground.saw("hold", "release")
        await ground.watch.stop(30)

    asyncio.run(run())


def test_no_more_passes_between_two_looks_than_may_wait(ground: Ground) -> None:
    """By the size that messages had so far. A producer that waited has many messages ready: all of them would come
    before the next look."""

    async def run() -> None:
        ground.metrics.messages, ground.behind, ground.gate.outside_bytes = 4_000, 1_000, 5_000 * 200
        ground.watch.start()
        await eventually(lambda: ground.allowed == (BACKLOG[0] - 1_000) * 200.0)
        ground.gate.outside_bytes = 0
        await eventually(lambda: ground.allowed == (BACKLOG[0] - 1_000) * LEAST_BYTES)
        await ground.watch.stop(30)

    asyncio.run(run())


def test_topics_are_remade_once_all_is_counted_while_judging_goes_on(ground: Ground) -> None:
    """A monitor that left its group judged nobody for 19.5 s, and by then its changes took no memory worth having."""

    async def run() -> None:
        ground.watch.start()
        ground.gate.produced_bytes, ground.gate.inside_bytes = 1000, 1000 // CHANGES_PART - 1
        await ground.saw("hold")
        await eventually(lambda: bool(ground.drained))
        ground.drained.pop()()
        await ground.saw("hold", "closed", "remade", "opened", "release")
        assert ground.topics[0] == {*ROLLED}
        await ground.watch.stop(30)

    asyncio.run(run())


def test_topic_of_changes_is_remade_when_it_has_grown_while_nobody_judges(ground: Ground) -> None:
    async def run() -> None:
        ground.watch.start()
        ground.let_changes_grow()
        await ground.saw("hold", "judging off")
        ground.drained.pop()()
        await ground.saw("hold", "judging off", "closed", "remade", "opened", "release", "judging on")
        assert ground.topics[0] == {*ROLLED, REPUTATION_CHANGES}
        ground.gate.produced_bytes = 1000
        await eventually(lambda: bool(ground.drained))
        ground.drained.pop()()
        await eventually(lambda: ground.watch.rolls == 2)
        assert ground.topics[1] == {*ROLLED}, "it has grown by nothing since"
        await ground.watch.stop(30)

    asyncio.run(run())


def test_stop_waits_until_topics_being_remade_are_there_before_anybody_may_produce(ground: Ground) -> None:
    """What is acknowledged before that would go with the topics."""

    async def run() -> None:
        ground.watch.start()
        ground.let_changes_grow()
        await ground.saw("hold", "judging off")
        stopping = asyncio.create_task(ground.watch.stop(30))
        await asyncio.sleep(0)
        assert not stopping.done()
        assert ground.done == ["hold", "judging off"]
        ground.drained.pop()()
        await stopping
        assert ground.done == ["hold", "judging off", "closed", "remade", "opened", "release"], (
            "the monitor is not started again"
        )

    asyncio.run(run())


def test_stop_does_not_wait_for_a_monitor_that_joins_its_group_again(ground: Ground) -> None:
    """That takes as long as the broker waits for other members."""
    ended: list[str] = []

    async def joining() -> None:
        ground.done.append("joining")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("joining")

    async def run() -> None:
        ground.watch._judging_on = joining
        ground.watch.start()
        ground.let_changes_grow()
        await ground.saw("hold", "judging off")
        ground.drained.pop()()
        await eventually(lambda: ground.done[-1] == "joining")
        async with asyncio.timeout(20):
            await ground.watch.stop(3_600)
        assert ended == ["joining"]

    asyncio.run(run())


def test_broker_that_ended_ends_the_run(ground: Ground) -> None:
    async def run() -> None:
        ground.broker.exit_code = -9
        ground.watch.start()
        await eventually(lambda: ground.failure is not None)

    asyncio.run(run())
    assert isinstance(ground.failure, BrokerError)
    assert str(ground.failure) == "embedded broker: ended by itself (-9); see broker.log"


@pytest.mark.parametrize("error", [BrokerError("not reached"), StoreError("not opened"), ZeroDivisionError()])
def test_whatever_ends_the_watch_ends_the_run(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Here while the topics are remade. Nobody else gives memory back or makes producers wait."""

    def failing(*_: object) -> None:
        raise error

    async def run() -> None:
        monkeypatch.setattr(broker_watch, "remake_topics", failing)
        ground.watch.start()
        ground.gate.produced_bytes = 1000
        await eventually(lambda: bool(ground.drained))
        ground.drained.pop()()
        await eventually(lambda: ground.failure is error)

    asyncio.run(run())
    assert "opened" not in ground.done, "nobody may ask for topics that are not there"
