"""`up` and `demo`: every stage in one process, by default around the embedded broker and store."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from api.http.app import create_app
from api.http.metrics import Stages
from api.stack.policy import PolicyInForce
from api.stack.running import tune_memory
from api.stack.stages import IngestThread, MonitorStage
from jobs.embedded.broker import EmbeddedBroker
from jobs.embedded.folder import DataFolder, Running
from jobs.embedded.store_server import StoreServer
from jobs.setup.migrate import migrate
from jobs.setup.topics import create_topics, remake_topics
from schemas import topics
from schemas.policy import Policy
from schemas.settings import ClickHouse, Kafka, Settings
from streams.io.broker import BrokerError
from streams.io.store import open_store

log = logging.getLogger("repmon.stack")

#: How long a stop may count on what was acknowledged, in s. At 30,000 events/s the largest backlog takes 5.
DRAIN_S = 30.0
JOIN_S = 1.5
MONITOR_S = 2.5
MOST_EVENTS = 20_000
WATCH_S = 0.5
#: Acknowledged messages not yet counted: producers wait above the first, until the second is reached. This bounds
#: what a power cut can cost the embedded default.
BACKLOG = (100_000, 50_000)
#: The topics whose memory is given back, in addition to those of `ingest.formats`. Alerts are few and stay; changes are
#: only a work list.
ROLLED = (topics.MAIL_EVENTS, topics.MAIL_BLOCKLISTINGS, topics.DEAD_LETTERS, topics.REPUTATION_CHANGES)


class Stack:
    """All stages of one process. Use as `async with`; `failed` is set with an error that ends the run.

    Broker and store are embedded, each where the settings name no other.
    """

    def __init__(self, settings: Settings, drain_s: float = DRAIN_S) -> None:
        self.settings = settings
        self._drain_s = drain_s
        #: After a stop: whether everything acknowledged to a producer is counted.
        self.drained = True
        self.folder = DataFolder(Path(settings.embedded.data))
        self._broker: EmbeddedBroker | None = None
        self._served: StoreServer | None = None
        self._ingest: IngestThread | None = None
        self._monitor: MonitorStage | None = None
        self._api: _Api | None = None
        self._watch: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.rolls = 0

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
        return f"http://{self.settings.api.host}:{self._api.port if self._api else self.settings.api.port}"

    @property
    def monitor(self) -> MonitorStage:
        """The monitor stage, once started."""
        assert self._monitor is not None  # noqa: S101 - a use before `start` is a mistake of ours
        return self._monitor

    def metrics(self) -> dict[str, Any]:
        """The numbers of the stages, by stage."""
        return {"ingest": self.ingest.worker.metrics, "monitor": self.monitor.judge.metrics}

    async def __aenter__(self) -> "Stack":
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start(self) -> None:
        tune_memory()
        self.folder.take()
        self._start_embedded()
        await asyncio.to_thread(migrate, self.settings.clickhouse)
        await asyncio.to_thread(create_topics, self.settings.kafka, topics.with_sources(self.settings.ingest.formats))
        loop = asyncio.get_running_loop()
        self._ingest = IngestThread(self.settings, self._failed_in(loop))
        self._ingest.start()
        self._monitor = MonitorStage(self.settings, self.folder.path / "faust")
        await self._monitor.start()
        self._api = _Api(self.settings, self.metrics, self._monitor.judge.policy)
        await self._api.start()
        self.folder.announce(
            Running(
                pid=os.getpid(),
                kafka=self.outside.kafka,
                clickhouse=self._store_for_others(),
                api=self.api_url,
            )
        )
        if self._broker is not None:
            self._watch = asyncio.create_task(self._watching())

    def _start_embedded(self) -> None:
        replace = msgspec.structs.replace
        embedded, key = self.settings.embedded, self.folder.hash_key(self.settings.ingest.hash_key)
        # Everything shares one process's memory here, so batches are kept smaller than a worker of its own has them.
        most = min(self.settings.ingest.flush_events, MOST_EVENTS)
        self.settings = replace(self.settings, ingest=replace(self.settings.ingest, hash_key=key, flush_events=most))
        if embedded.broker and self.settings.kafka == Kafka():
            self._broker = EmbeddedBroker(embedded.broker_port, self.folder.path / "broker.log")
            self._broker.start()
            self.settings = replace(self.settings, kafka=self._broker.kafka)
        if embedded.store and self.settings.clickhouse == ClickHouse():
            store = replace(self.settings.clickhouse, path=str(self.folder.chdb))
            self._served = StoreServer(store.path, embedded.store_port, secrets.token_urlsafe(24))
            self._served.start()
            self.settings = replace(self.settings, clickhouse=store)

    def _store_for_others(self) -> ClickHouse:
        if self._served is None:
            return self.settings.clickhouse
        return ClickHouse(
            url=f"http://127.0.0.1:{self._served.port}",
            password=self._served.password,
            database=self.settings.clickhouse.database,
        )

    async def stop(self) -> None:
        """Store what was acknowledged, for no longer than was set, then end everything."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await asyncio.gather(self._stop_ingest(), self._stop_others(), return_exceptions=True)
        if self._served is not None:
            self._served.stop()
        if self._broker is not None:
            await asyncio.to_thread(self._broker.stop)
        self.folder.give_back()

    async def _stop_ingest(self) -> None:
        if self._broker is not None and self._ingest is not None:
            await asyncio.to_thread(self._broker.gate.hold)
            self.drained = self._broker.exit_code is None and await asyncio.to_thread(
                self._ingest.drained, self._drain_s
            )
        if self._ingest is not None:
            await asyncio.to_thread(self._ingest.end, JOIN_S)

    async def _stop_others(self) -> None:
        """What is not judged now is judged at the next start, when everybody is."""
        if self._monitor is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._monitor.stop(JOIN_S), MONITOR_S)
        if self._api is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._api.stop(), JOIN_S)

    def _failed_in(self, loop: asyncio.AbstractEventLoop) -> Callable[[BaseException], None]:
        def failed(error: BaseException) -> None:
            loop.call_soon_threadsafe(self._fail, error)

        return failed

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    async def _watching(self) -> None:
        """Keep the embedded broker small: producers wait while too much is uncounted, and its topics are remade
        after so many bytes."""
        broker = self._broker
        held = False
        while broker is not None:
            await asyncio.sleep(WATCH_S)
            if (code := broker.exit_code) is not None:
                self._fail(BrokerError(f"embedded broker: ended by itself ({code}); see {broker.log_file}"))
                return
            gate = broker.gate
            metrics = self.ingest.worker.metrics
            if not held and (metrics.paused or metrics.lag > BACKLOG[0]):
                held = True
                await asyncio.to_thread(gate.hold)
            elif held and not metrics.paused and metrics.lag < BACKLOG[1]:
                held = False
                gate.release()
            if gate.produced_bytes >= self.settings.embedded.roll_bytes:
                try:
                    await self._roll()
                except (BrokerError, TimeoutError) as error:
                    self._fail(error)
                    return
                held = False

    async def _roll(self) -> None:
        """Count everything, make the topics again, continue. Producers wait for about two seconds, judgement for
        as long as the monitor takes to join again; it then judges everybody."""
        broker, kafka = self._broker, self.settings.kafka
        rolled = {**dict.fromkeys(ROLLED), **self.settings.ingest.formats}
        if broker is None:
            return
        log.info("giving back the broker's memory: %d bytes were taken in", broker.gate.produced_bytes)
        await asyncio.to_thread(broker.gate.hold)
        try:
            await self.monitor.stop()
            remade = threading.Event()
            errors: list[BaseException] = []

            def remake() -> None:
                try:
                    known = topics.with_sources(rolled)
                    remake_topics(kafka, [known[name] for name in rolled])
                except BrokerError as error:
                    errors.append(error)
                remade.set()

            self.ingest.worker.when_drained(remake)
            if not await asyncio.to_thread(remade.wait, 60.0):
                raise TimeoutError("the embedded broker could not be drained within 60 s")
            if errors:
                raise errors[0]
            broker.gate.forget()
        finally:
            broker.gate.release()
        self._monitor = MonitorStage(self.settings, self.folder.path / "faust")
        await self._monitor.start()
        self.rolls += 1


class _Api:
    """The HTTP interface inside the stack's event loop."""

    def __init__(self, settings: Settings, stages: Stages, in_force: Policy) -> None:
        app = create_app(
            lambda: open_store(settings.clickhouse),
            expired_is_failure=in_force.expired_is_failure,
            policy=PolicyInForce(settings, in_force),
            stages=stages,
            owners=settings.blocklists.dedicated_pools,
        )
        config = uvicorn.Config(
            app, host=settings.api.host, port=settings.api.port, log_level="warning", lifespan="off"
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self.port = settings.api.port

    async def start(self) -> None:
        """Listen.

        Raises:
            BrokerError: the port is taken.
        """
        self._task = asyncio.create_task(self._serve())
        while not self._server.started:
            if self._task.done():
                raise BrokerError(f"api: port {self.port} cannot be used")
            await asyncio.sleep(0.01)
        self.port = int(self._server.servers[0].sockets[0].getsockname()[1])

    async def _serve(self) -> None:
        with contextlib.suppress(SystemExit):
            await self._server.serve()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the stack's to handle."""
        yield


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
        await asyncio.gather(*tasks, return_exceptions=True)
    if stack.failed.done():
        raise stack.failed.result()
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
