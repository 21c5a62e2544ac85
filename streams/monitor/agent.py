"""The monitor stage: changed customers in, verdicts and alerts out.

A Faust agent reads `reputation.changes` into a work list, from which customers are judged in batches, each of them as
soon as `JudgeQueue` lets it. Besides, customers who do not stand well are judged on every sweep, since windows slide
without any event, and everybody now and then.

A change is acknowledged when it is on the work list, not when its customer is judged: waiting for that would hold back
the changes behind it. So a monitor that dies has acknowledged changes that were never judged. They are not lost:
the monitor that is given a partition next, be it this one started again, judges everybody who belongs to it, by what is
stored. Faust keeps no table; all state is in ClickHouse, and a customer judged twice is judged to the same end.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.policy import Policy
from schemas.settings import Kafka, MonitorSettings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_CHANGES
from streams.io import tracing
from streams.io.broker import BrokerError
from streams.io.changes import customers_in, partition_of
from streams.io.store import StoreError
from streams.monitor.ahead import ReadAhead, TakenAhead
from streams.monitor.batch import BatchJudge, BatchResult
from streams.monitor.broker_login import check_login
from streams.monitor.faust_app import faust_app
from streams.monitor.queue import JudgeQueue
from streams.monitor.timers import Timers, log_alerts

log = logging.getLogger("repmon.monitor")

#: Of everybody, so many are judged along with each batch of those who changed.
BACKFILL_BATCH = 2_000
RETRY_S = (0.5, 15.0)
MOST_REST_S = 0.5
#: What one flush changed comes in several messages: after the first it is waited so long (s) for the others, which
#: would else wait until the batch of the first is judged.
GATHER_S = 0.05
#: How long leaving the group may take, in s.
APP_STOP_S = 3.0
#: How often it is looked which partitions are ours, and whether the app still runs.
LOOK_S = 0.5

T = TypeVar("T")

#: How long questions take is measured by this clock.
_seconds = time.monotonic


class Monitor:
    """The Faust app, the work list and the timers around it, inside the caller's event loop."""

    def __init__(
        self,
        kafka: Kafka,
        settings: MonitorSettings,
        judge: BatchJudge,
        data: Path,
        partitions: int,
        newer_policy: Callable[[], Policy | None] | None = None,
        refresh_causes: Callable[[int], set[str]] | None = None,
        failed: Callable[[BaseException], None] = lambda error: log.critical("%s", error),
    ) -> None:
        """`newer_policy` is asked every few seconds for a policy to judge by from then on; without it the judge's own
        stays. `refresh_causes`, given the time (epoch ms), says whose listings are attributed otherwise than before.
        `failed` is called with what ended the monitor, should that end though nobody asked it to."""
        self._kafka = kafka
        self._settings = settings
        self._judge = judge
        self._failed = failed
        self._where = f"Kafka at {kafka.bootstrap}"
        self._partitions = partitions
        self._work = JudgeQueue(
            int(settings.judge_every_s * 1000), int(settings.cooldown_idle_s * 1000), settings.cooldown_idle_customers
        )
        self._ours: frozenset[int] = frozenset()
        #: All that asks the store runs here, one thing at a time.
        self._thread = ThreadPoolExecutor(1, "judge")
        #: What the next batch is judged by is read here.
        self._reading = ThreadPoolExecutor(1, "read-ahead")
        self._wake = asyncio.Event()
        self._gained = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None
        self._timers = Timers(
            kafka,
            settings,
            judge,
            self._asked,
            self._timed,
            self._is_ours,
            self._judge_again,
            self._judge_some_day,
            self._gained,
            newer_policy,
            refresh_causes,
        )
        self.app = faust_app(kafka, data)
        topic = self.app.topic(
            REPUTATION_CHANGES, value_type=bytes, value_serializer="raw", key_serializer="raw", internal=False
        )
        self.app.agent(topic, name="changes")(self._changes)

    async def start(self) -> None:
        """Join the group and begin to judge. Returns once the app runs.

        Raises:
            SettingsError, BrokerError: Faust's client cannot reach the broker, or is refused, and why.
        """
        await check_login(self._kafka)
        try:
            await self.app.maybe_start()
        except KafkaError as error:
            await self._stop_app(APP_STOP_S)
            gone = isinstance(error, KafkaConnectionError)
            reason = "cannot be reached" if gone else said_by(error)
            raise BrokerError(f"{self._where}: {reason}", unreachable="kafka" if gone else "") from error
        timers = (self._partitions_watched, *self._timers.all())
        self._tasks = [asyncio.create_task(each) for each in (self._judging(), *map(_lasting, timers))]
        self._watch = asyncio.create_task(self._watched(self._tasks[0]))

    async def stop(self, patience_s: float | None = None) -> bool:
        """Leave once the present batch is finished, or after `patience_s`. True: nothing is being judged any more.

        Those who still wait are judged by the monitor that takes the partition next.
        """
        self._stopping.set()
        self._wake.set()
        if self._watch is not None:
            self._watch.cancel()
        for task in self._tasks[1:]:
            task.cancel()
        # A query runs on although nobody waits for it, so the thread says when all is over.
        threads = self._thread, self._reading
        idle = (self._asked(lambda: None, each) for each in threads)
        over = asyncio.gather(*self._tasks, *idle, return_exceptions=True)
        _, running = await asyncio.wait([over], timeout=patience_s)
        for each in threads:
            each.shutdown(wait=False, cancel_futures=True)
        # Without its broker the app would never end, so this comes in any case.
        await self._stop_app(APP_STOP_S)
        return not running

    async def _stop_app(self, patience_s: float) -> None:
        """Leave the group. Without a broker the app looks for it for a minute, and nothing is lost if that is cut
        short: the broker gives its partitions to others once it was silent for long enough."""
        stopped = asyncio.create_task(self.app.stop())
        await asyncio.wait({stopped}, timeout=patience_s)
        if not stopped.done():
            log.info("the group was not left within %g s", patience_s)
            stopped.cancel()
        elif (error := stopped.exception()) is not None:
            log.info("leaving the group: %s", error)

    async def _watched(self, judging: "asyncio.Task[None]") -> None:
        """Say why, should the app or judging end though nobody asked it to. A Faust app ends so when it is not allowed
        to read a topic, or cannot decompress one: nothing is changed any more then, and nobody judged."""
        while (ended := why_ended(self.app)) is None and not judging.done():  # noqa: ASYNC110 - a library's threads
            await asyncio.sleep(LOOK_S)
        if ended is not None:
            self._failed(BrokerError(f"{self._where}: reading {REPUTATION_CHANGES} ended: {said_by(ended)}"))
        elif not judging.cancelled():
            self._failed(judging.exception() or RuntimeError("judging ended"))

    async def _changes(self, stream: Any) -> None:
        async for value in stream:
            changed = _customers(value)
            if tracing.ACTIVE is not None:
                tracing.ACTIVE.note_received(value, changed)
            self._work.changed(changed)
            self._wake.set()

    async def _judging(self) -> None:
        loop = asyncio.get_running_loop()
        ahead: TakenAhead | None = None
        while not self._stopping.is_set():
            if ahead is not None:
                batch, read = ahead.batch, await ahead.read
                if self._stopping.is_set():
                    return
            else:
                batch, read = self._work.take(_monotonic_ms(), self._settings.batch, BACKFILL_BATCH), None
            if not batch:
                if await self._woken(self._work.wait_ms(_monotonic_ms()) / 1000):
                    await self._paused(GATHER_S)
                continue
            began = loop.time()
            ahead = self._taken_ahead()
            judged = await self._judged(batch, read)
            # The times to judge again are of the store's clock, the work list's of one that is never set.
            apart = _monotonic_ms() - utc_now_ms()
            self._work.schedule(
                (customer, at_ms + apart) for customer, at_ms in judged.again if self._is_ours(customer)
            )
            log_alerts(judged.alerts)
            took = loop.time() - began
            # Unless more wait than a batch holds, some time is left to others. What comes meanwhile makes the next
            # batch larger, and a customer in a large batch costs much less than in a small one.
            rest = 0.0 if len(batch) >= self._settings.batch else min(took / 2, MOST_REST_S)
            await self._paused(max(self._settings.min_batch_interval_s - took, rest))

    def _taken_ahead(self) -> TakenAhead | None:
        """The next batch, which is read while the present one is judged; None unless a full one waits. Those who wait
        for less than a batch are taken when it is their turn, with all that comes meanwhile."""
        now_ms, most = _monotonic_ms(), self._settings.batch
        if not self._judge.reads_ahead or self._work.due(now_ms) < most:
            return None
        batch = self._work.take(now_ms, most, 0)
        return TakenAhead(batch, asyncio.get_running_loop().run_in_executor(self._reading, self._read_ahead, batch))

    def _read_ahead(self, batch: list[str]) -> ReadAhead | None:
        """What a batch is judged by; if that fails it is read when the batch is judged, and what is wrong told then."""
        try:
            return self._judge.read_ahead(batch, utc_now_ms())
        except StoreError as error:
            log.info("%s; it is read again", error)
        except Exception:
            log.exception("a batch of %d customers could not be read ahead", len(batch))
        return None

    async def _judged(self, batch: list[str], read: ReadAhead | None = None) -> BatchResult:
        """Judge, and judge again until store and broker answer, or the monitor is stopped: nobody is skipped. What was
        `read` of them ahead is good for the first try."""
        wait, numbers = RETRY_S[0], self._judge.metrics
        numbers.judging_since_ms = utc_now_ms()
        while True:
            try:
                result = await self._asked(partial(self._judge_once, batch, read))
            except (StoreError, BrokerError) as error:
                if self._stopping.is_set():
                    return BatchResult()
                numbers.trouble = str(error)
                log.warning("%s; trying again in %.1f s", error, wait)
            except Exception as error:
                numbers.trouble = said_by(error)
                # Not expected, and yet a monitor that says so again and again is better than one that judges no more.
                log.exception("a batch of %d customers could not be judged; trying again in %.1f s", len(batch), wait)
            else:
                numbers.last_batch_ms, numbers.judging_since_ms, numbers.trouble = utc_now_ms(), 0, ""
                return result
            read = None
            await self._paused(wait)
            if self._stopping.is_set():
                return BatchResult()
            wait = min(wait * 2, RETRY_S[1])

    def _judge_once(self, batch: list[str], read: ReadAhead | None) -> BatchResult:
        if read is None:
            return self._judge.judge_customers(batch, utc_now_ms())
        return self._judge.judge_customers(batch, read.now_ms, read)

    async def _partitions_watched(self) -> None:
        """Several monitors share the work by partition. One that gains or loses some forgets what it kept, since
        another may have judged meanwhile."""
        while True:
            ours = frozenset(
                part.partition for part in self.app.assignor.assigned_actives() if part.topic == REPUTATION_CHANGES
            )
            if ours != self._ours:
                gained, self._ours = ours - self._ours, ours
                await self._asked(self._judge.forget)
                self._work.keep(self._is_ours)
                if gained:
                    self._gained.set()
            await asyncio.sleep(LOOK_S)

    def _judge_again(self, customers: Iterable[str]) -> None:
        """Judge those of them who are ours once more."""
        self._work.changed(filter(self._is_ours, customers))
        self._wake.set()

    def _judge_some_day(self, customers: Iterable[str]) -> None:
        """The same, a few at a time along with those who changed."""
        self._work.enqueue_low_priority(filter(self._is_ours, customers))
        self._wake.set()

    def _is_ours(self, customer: str) -> bool:
        return partition_of(customer, self._partitions) in self._ours

    async def _asked(self, question: Callable[[], T], thread: ThreadPoolExecutor | None = None) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread or self._thread, question)

    async def _timed(self, question: Callable[[], T]) -> tuple[T, float]:
        """What it answers, and how long that took (s). While it waited for others in the thread it took nothing, so
        nobody rests longer because many customers are judged."""

        def measured() -> tuple[T, float]:
            began = _seconds()
            return question(), _seconds() - began

        return await self._asked(measured)

    async def _woken(self, most_s: float) -> bool:
        """Return when something is new, or after `most_s` (which may be infinite); whether something is."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), None if most_s == float("inf") else most_s)
        new = self._wake.is_set()
        self._wake.clear()
        return new

    async def _paused(self, seconds: float) -> None:
        """Return after so many seconds, or when the monitor is stopped."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)


def said_by(error: BaseException) -> str:
    """What a client's error says, in one line, with its kind."""
    kind, text = type(error).__name__, " ".join(str(error).split())
    return text if kind in text else f"{kind}: {text}" if text else kind


def why_ended(app: Any) -> BaseException | None:
    """Why an app that runs reads no more, though nobody asked it to end; None while it reads.

    It ends itself where what it was sent cannot be read, as with a codec that is missing, or it is not allowed to. But
    when the task that fetches for it ends, it waits on for ever (aiokafka 0.14.0, `Fetcher._fetch_requests_routine`).
    """
    if app.should_stop:
        reason: BaseException | None = app.crash_reason
        return reason or RuntimeError("nothing says why")
    reader = getattr(getattr(app.consumer, "_thread", None), "_consumer", None)
    fetching = getattr(getattr(reader, "_fetcher", None), "error_future", None)
    if fetching is None or not fetching.done():
        return None
    ended: BaseException | None = None if fetching.cancelled() else fetching.exception()
    return (ended and ended.__cause__) or ended or RuntimeError("fetching ended")


async def _lasting(timer: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a timer, and begin it again a little later whenever it fails."""
    while True:
        try:
            await timer()
        except (StoreError, BrokerError) as error:
            log.warning("%s; trying again in %.1f s", error, RETRY_S[1])
        except Exception:
            log.exception("trying again in %.1f s", RETRY_S[1])
        await asyncio.sleep(RETRY_S[1])


def _customers(value: bytes) -> list[str]:
    try:
        return customers_in(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        log.warning("%s: not a change, skipped: %s", REPUTATION_CHANGES, error)
        return []


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
