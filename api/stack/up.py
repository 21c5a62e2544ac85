"""Every stage in one process, by default around the embedded broker and store: what `up` and `demo` run."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from api.http.health import StageHealth
from api.http.listening import listen
from api.stack.broker_watch import BACKLOG, LEAST_BYTES, BrokerWatch
from api.stack.embedded import EmbeddedParts
from api.stack.interface import Interface
from api.stack.running import tune_memory
from api.stack.stages import IngestThread, MonitorStage
from jobs.embedded.engine import kill_queries
from jobs.embedded.folder import DataFolder, Running
from jobs.setup.migrate import check_nobody_stores, migrate
from jobs.setup.retention import apply_retention
from jobs.setup.topics import create_topics
from schemas import topics
from schemas.settings import Settings
from streams.io.broker import BrokerError
from streams.io.store import open_store

if TYPE_CHECKING:
    from api.stack.notify import NotifyThread

log = logging.getLogger("repmon.stack")

#: How long a stop may count on what was acknowledged, in s. At 30,000 events/s the largest backlog takes 5.
DRAIN_S = 30.0
#: How long a stage may take to end once it is asked to and nothing is left to count, in s.
JOIN_S = 1.5
#: How long what is judged may take to end once ingest has ended, and once its queries are killed, in s. What is not
#: judged is judged at the next start, when everybody is.
JUDGED_S = 0.5
#: How long notifications that are under way may take, in s. What was not sent is sent at the next start.
NOTIFIED_S = 6.0
KILLED_S = 6.0
#: Everything shares one process's memory here, so batches are kept smaller than a worker of its own has them.
MOST_EVENTS = 60_000

#: Takes a line about a stage that came up or went down.
Tell = Callable[[str], None]


class Stack:
    """All stages of one process. Use as `async with`; `failed` is set with an error that ends the run.

    Broker and store are embedded, each where the settings name no other. `tell` is given a line for each stage as it
    comes up and as it goes down, and `why` is the reason shown for broker and store, where it is not one of the
    settings.
    """

    def __init__(
        self, settings: Settings, drain_s: float = DRAIN_S, tell: Tell = lambda _line: None, why: str = ""
    ) -> None:
        self.settings = settings
        self._drain_s = drain_s
        self._tell = tell
        #: After a stop: whether everything acknowledged to a producer is counted.
        self.drained = True
        self.folder = DataFolder(settings.embedded.data)
        self._embedded = EmbeddedParts(settings, self.folder, why)
        self._ingest: IngestThread | None = None
        #: None too while the broker's topics are remade.
        self._monitor: MonitorStage | None = None
        self._notify: NotifyThread | None = None
        self._api: Interface | None = None
        self._health: StageHealth | None = None
        self._listening: socket.socket | None = None
        self._watch: BrokerWatch | None = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @property
    def ingest(self) -> IngestThread:
        """The ingest stage, once started."""
        assert self._ingest is not None  # noqa: S101 - a use before `start` is a mistake of ours
        return self._ingest

    @property
    def outside(self) -> Settings:
        """Settings for those who are not stages, such as a simulator: the gate may make them wait."""
        options = {k: v for k, v in self.settings.kafka.options.items() if k != "client.id"}
        return msgspec.structs.replace(
            self.settings, kafka=msgspec.structs.replace(self.settings.kafka, options=options)
        )

    @property
    def api_url(self) -> str:
        """Where the HTTP interface answers."""
        return self._api.url if self._api else f"http://{self.settings.api.host}:{self.settings.api.port}"

    def console_lines(self, *, link: bool) -> list[str]:
        """Where the console is, once started, and with `link` how to sign in at once."""
        return self._api.console_lines(link=link) if self._api else []

    @property
    def monitor(self) -> MonitorStage:
        """The monitor stage, once started."""
        assert self._monitor is not None  # noqa: S101 - a use before `start` is a mistake of ours
        return self._monitor

    @property
    def health(self) -> StageHealth:
        """What is seen of the stages, once started."""
        assert self._health is not None  # noqa: S101 - a use before `start` is a mistake of ours
        return self._health

    async def __aenter__(self) -> "Stack":
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _keep_as_set(self) -> list[str]:
        with open_store(self.settings.clickhouse) as store:
            return apply_retention(store, self.settings.retention)

    async def _start(self) -> None:
        tune_memory()
        self.folder.take()
        # Asked for first, since all the rest takes seconds.
        self._listening = listen(self.settings.api.host, self.settings.api.port, "api")
        replace = msgspec.structs.replace
        key = self.folder.hash_key(self.settings.ingest.hash_key)
        self._say("broker", self._embedded.start_broker())
        self._say("store", self._embedded.start_store())
        most = min(self.settings.ingest.flush_events, MOST_EVENTS)
        self.settings = replace(
            self._embedded.settings, ingest=replace(self.settings.ingest, hash_key=key, flush_events=most)
        )
        if self._embedded.store is None:  # nobody else stores in the embedded one
            await asyncio.to_thread(check_nobody_stores, self.settings.clickhouse)
        applied = await asyncio.to_thread(migrate, self.settings.clickhouse)
        for line in await asyncio.to_thread(self._keep_as_set):
            log.warning("retention of %s", line)
        await asyncio.to_thread(self._embedded.make_durable)
        self._say("tables", f"{len(applied)} migrations applied" if applied else "up to date")
        await self._make_topics()
        loop = asyncio.get_running_loop()
        self._health = StageHealth("up", self.settings, [*topics.with_sources(self.settings.ingest.formats)])
        self._ingest = IngestThread(self.settings, self._failed_in(loop))
        self._ingest.start()
        if self._embedded.broker is not None:  # only now: others may make topics by asking for them
            self._embedded.broker.gate.open()
            self._embedded.broker.gate.release(BACKLOG[0] * LEAST_BYTES)
        self._say("ingest", f"reading {', '.join(sorted(self._ingest.worker.readers))}")
        await self._start_monitor()
        self._say("monitor", f"judging by policy {self.monitor.judge.policy.version}")
        if routes := self.settings.notify.routes:
            from api.stack.notify import NotifyThread

            self._notify = NotifyThread(self.settings, self._failed_in(loop))
            self._notify.start()
            self._health.numbers["notify"] = self._notify.notifier.metrics
            self._say("notify", f"by {', '.join(each.name for each in routes)}")
        self._health.numbers["ingest"] = self._ingest.worker.metrics
        self._health.start()
        self._api = Interface(self.settings, self._listening, self._health, self.monitor.judge.policy)
        await self._api.start()
        self._say("API", self.api_url)
        self.folder.announce(
            Running(
                pid=os.getpid(),
                kafka=self.outside.kafka,
                clickhouse=self._embedded.store_for_others,
                reader=self._embedded.reader,
                api=self.api_url,
            )
        )
        if self._embedded.broker is not None:
            self._watch = BrokerWatch(
                self._embedded.broker,
                self.settings,
                self._ingest,
                self._fail,
                self._end_monitor_for_now,
                self._start_monitor,
            )
            self._watch.start()

    async def _make_topics(self) -> None:
        """Make the topics that are missing.

        Raises:
            BrokerError: as `create_topics`, or the embedded broker, which starts empty, has another topic of the name.
        """
        declared = topics.with_sources(self.settings.ingest.formats)
        made = await asyncio.to_thread(create_topics, self.settings.kafka, declared)
        other = [each for each in made if each.status == "differs"]
        if other and self._embedded.broker is not None:
            raise BrokerError(f"embedded broker: {other[0]}")
        self._say("topics", f"{sum(each.status == 'created' for each in made)} made, {len(made)} in all")
        for each in other:
            self._say("topics", str(each))

    async def stop(self) -> None:
        """Count what was acknowledged, for no longer than was set, then end everything."""
        if self._ingest is not None:
            self._tell("repmon: stopping")
        await self._stop_watch()
        if self._health is not None:
            await asyncio.to_thread(self._health.stop)
        judged = asyncio.create_task(self._monitor.stop()) if self._monitor is not None else None
        interface = asyncio.create_task(self._done("API", self._stop_api()))
        counted = await self._done("ingest", self._stop_ingest())
        await interface
        ended = [counted, await self._done("monitor", self._stop_judging(judged))]
        ended.append(await self._done("notify", self._stop_notify()))
        if self._embedded.store is not None:
            ended.append(await asyncio.to_thread(self._embedded.stop_store))
            self._say("store", "closed")
        if (broker := self._embedded.broker) is not None:
            await asyncio.to_thread(broker.stop)
            self._say("broker", "stopped")
        if self._listening is not None:
            self._listening.close()
        # What still has the store open keeps the folder to itself until this process is gone.
        self.folder.give_back(unlock=all(ended))

    async def let_producers_end(self) -> None:
        """No producer is made to wait any more: those who run along are asked to end, and have little left."""
        await self._stop_watch()
        if self._embedded.broker is not None:
            self._embedded.broker.gate.release()

    async def _stop_watch(self) -> None:
        if self._watch is not None:
            await self._watch.stop(self._drain_s if self._can_drain() else 0.0)

    def _can_drain(self) -> bool:
        broker = self._embedded.broker
        return broker is not None and broker.exit_code is None and not self.failed.done()

    async def _stop_ingest(self) -> bool:
        ingest, broker = self._ingest, self._embedded.broker
        if ingest is None:
            return True
        if broker is not None:
            # A broker that is silent keeps already the question waiting of how much it has.
            deadline = time.monotonic() + self._drain_s
            await asyncio.to_thread(broker.gate.hold)
            if waiting := await self._uncounted(ingest):
                self._say("ingest", f"counting what is acknowledged, {waiting:,} events")
            left_s = max(0.0, deadline - time.monotonic())
            self.drained = self._can_drain() and await asyncio.to_thread(ingest.drained, left_s)
        if self.drained and await asyncio.to_thread(ingest.end, JOIN_S):
            self._say("ingest", "stopped")
            return True
        ingest.abandon()
        await self._kill_queries()
        ended = await asyncio.to_thread(ingest.end, KILLED_S)
        self._say("ingest", "stopped before all was counted" if ended else "does not stop in time")
        return ended

    async def _stop_judging(self, judged: "asyncio.Task[None] | None") -> bool:
        """Let what is judged end; queries that take too long are killed, if the store is ours."""
        if judged is None:
            return True
        await asyncio.wait({judged}, timeout=JUDGED_S)
        deadline = time.monotonic() + KILLED_S
        while not judged.done() and time.monotonic() < deadline:
            # Again and again: a question may just not have begun, and the next one is refused.
            if self._monitor is not None:
                self._monitor.abandon()
            await self._kill_queries()
            await asyncio.wait({judged}, timeout=JUDGED_S)
        judged.cancel()
        ended = judged.done() and judged.exception() is None
        self._say("monitor", "stopped" if ended else "does not stop in time")
        return ended

    async def _uncounted(self, ingest: IngestThread) -> int:
        metrics = ingest.worker.metrics
        try:
            behind = await asyncio.to_thread(ingest.worker.behind)
        except BrokerError as error:
            log.info("%s", error)
            behind = 0
        return behind + max(0, metrics.messages - metrics.stored)

    async def _kill_queries(self) -> None:
        if self._embedded.store is not None:
            await asyncio.to_thread(kill_queries, self.settings.clickhouse.path)

    async def _stop_api(self) -> bool:
        if self._api is not None:
            await asyncio.wait_for(self._api.stop(), JOIN_S)
            self._say("API", "stopped")
        return True

    async def _stop_notify(self) -> bool:
        """After the monitor, whose last alerts are read once more at the next start if they were not now."""
        if self._notify is None:
            return True
        if not await asyncio.to_thread(self._notify.end, NOTIFIED_S):
            self._notify.abandon()
            await self._kill_queries()
            if not await asyncio.to_thread(self._notify.end, JOIN_S):
                self._say("notify", "does not stop in time")
                return False
        self._say("notify", "stopped")
        return True

    async def _done(self, name: str, step: Awaitable[bool]) -> bool:
        """Whether a step of the end worked: one that fails keeps no other from being taken."""
        try:
            return await step
        except Exception as error:
            log.info("%s did not end as it should: %s", name, error)
            return False

    async def _start_monitor(self) -> None:
        self._monitor = MonitorStage(self.settings, self.folder.path / "faust", self._fail)
        self.health.numbers["monitor"] = self._monitor.judge.metrics
        await self._monitor.start()

    async def _end_monitor_for_now(self) -> None:
        ended, self._monitor = self.monitor, None
        await ended.stop()

    def _say(self, stage: str, text: str) -> None:
        self._tell(f"  {stage:<8} {text}")

    def _failed_in(self, loop: asyncio.AbstractEventLoop) -> Callable[[BaseException], None]:
        def failed(error: BaseException) -> None:
            loop.call_soon_threadsafe(self._fail, error)

        return failed

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)


async def run_until_stopped(
    stack: Stack, *, seconds: float | None, alongside: Callable[[Stack, asyncio.Event], list[asyncio.Task[None]]]
) -> None:
    """Run until Ctrl-C, SIGTERM, `seconds`, or a stage's failure, which is raised. `alongside` starts what shall
    run along (a console, a simulator) and ends once the event is set."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, over.set)
    tasks = alongside(stack, over)
    ended = asyncio.create_task(over.wait())
    try:
        ends: list[asyncio.Future[Any]] = [ended, stack.failed, *tasks]
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.set()
        if tasks:
            await stack.let_producers_end()
        await asyncio.gather(*tasks, return_exceptions=True)
    if stack.failed.done():
        raise stack.failed.result()
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
