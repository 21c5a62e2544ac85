"""One deployment under test: broker, store, database, and the workers with the ways to disturb them."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import ConsumerGroupState, KafkaException

from jobs import simulate
from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.settings import ClickHouse, Kafka
from schemas.times import utc_now_ms
from schemas.topics import MAIL_EVENTS
from streams.io.broker import admin, topic_ids
from streams.io.store import Store, open_store
from tests.faults.proxy import StoreProxy
from tests.faults.workers import Stage, Worker
from tests.support.store_process import StoreProcess
from tests.support.truth import Hand, Sender, Sent, Traffic, differences, shown, uncounted
from tests.support.waiting import pause_s

#: Short, so that the partitions of a lost worker move soon.
SESSION_TIMEOUT_MS = 2000
#: How long a worker waits for the store.
STORE_TIMEOUT_S = 2
COUNTED_S = 60.0
#: More messages than any test sends; where they are paced, it ends them.
ENDLESS = 1_000_000
#: Between two looks at a condition, at least; most of them ask the store, which is kept busy by that.
LOOK_S = 0.1

COUNTED_MESSAGES = """
SELECT sum(upto + 1) FROM
(SELECT max(last_offset) AS upto FROM counts WHERE startsWith(source, 'mail.events:') GROUP BY source)
"""


class Deployment:
    """New topics, a database of its own, and no worker yet."""

    def __init__(
        self, kafka: Kafka, store: StoreProcess, database: ClickHouse, folder: Path, partitions: int = 0
    ) -> None:
        """`partitions` are those of `mail.events`, if others than declared. Each costs as many statements a flush,
        however little is in it."""
        self.kafka = msgspec.structs.replace(kafka, group=database.database, session_timeout_ms=SESSION_TIMEOUT_MS)
        self.store_process = store
        self.clickhouse = database
        self.workers: dict[str, Worker] = {}
        self.proxies: dict[str, StoreProxy] = {}
        self.sent = Sent()
        self._folder = folder
        (folder / "data").mkdir()
        self._loads: list[Traffic] = []
        self._topics = topics.load_topics()
        if partitions:
            fewer = msgspec.structs.replace(self._topics[MAIL_EVENTS], partitions=partitions)
            self._topics = {**self._topics, MAIL_EVENTS: fewer}
        self.remake_topics()

    def remake_topics(self) -> None:
        """Delete the topics with all that is in them, and make them again under new ids."""
        remake_topics(self.kafka, self._topics)
        self.ids = topic_ids(admin(self.kafka), list(self._topics))
        self.sender = Sender(self.kafka)

    def environment(self, store_url: str, **more: str) -> dict[str, str]:
        """The settings of a stage that reaches the store at `store_url`."""
        return {
            "REPMON_KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "REPMON_KAFKA__GROUP": self.kafka.group,
            "REPMON_KAFKA__SESSION_TIMEOUT_MS": str(self.kafka.session_timeout_ms),
            "REPMON_CLICKHOUSE__URL": store_url,
            "REPMON_CLICKHOUSE__PASSWORD": self.clickhouse.password,
            "REPMON_CLICKHOUSE__DATABASE": self.clickhouse.database,
            "REPMON_CLICKHOUSE__TIMEOUT_S": str(STORE_TIMEOUT_S),
            "REPMON_INGEST__FLUSH_SECONDS": "0.4",
            "REPMON_INGEST__HASH_KEY": "a key for this test",
            "REPMON_INGEST__BATCH_EVENTS": "500",
            "REPMON_MONITOR__SWEEP_S": "2",
            "REPMON_MONITOR__ALONE_WAIT_S": "0.1",
            "REPMON_EMBEDDED__DATA": str(self._folder / "data"),
            **more,
        }

    def worker(self, name: str, **settings: str) -> Worker:
        """An ingest worker behind a proxy of its own, started. `settings` are environment variables."""
        return self._started(name, "ingest", settings)

    def monitor(self, name: str, **settings: str) -> Worker:
        """A monitor behind a proxy of its own, started."""
        return self._started(name, "monitor", settings)

    def notify(self, name: str, **settings: str) -> Worker:
        """What tells of alerts, behind a proxy of its own, started."""
        return self._started(name, "notify", settings)

    def proxy(self, name: str) -> StoreProxy:
        """The way to the store of a worker to come, or of one there is."""
        if name not in self.proxies:
            self.proxies[name] = StoreProxy(self.store_process.port)
        return self.proxies[name]

    def send(self, messages: int, *, seed: int, ago_ms: int = 0) -> None:
        """Send simulated mail of six hours up to `ago_ms` before now as fast as it goes; a part of it twice."""
        load = Traffic(self.sender, self.sent, _options(seed, messages), lambda: utc_now_ms() - ago_ms)
        load.start()
        load.finish()

    def load(self, rate: float, *, seed: int) -> Traffic:
        """Simulated mail at `rate` events/s for as long as a test needs it, begun."""
        load = Traffic(self.sender, self.sent, _options(seed, ENDLESS, rate))
        self._loads.append(load)
        load.start()
        return load

    def live(self, rate: float, *, seed: int, customers: int = 30, repeated_within: int | None = None) -> Traffic:
        """Simulated mail of the present at `rate` events/s until it is ended, begun. With `repeated_within` an event is
        sent again before so many others were sent."""
        options = simulate.SimulationOptions(
            seed=seed, customers=customers, messages=0, live_rate=rate, live_seconds=-1
        )
        load = Traffic(self.sender, self.sent, options, repeated_within=repeated_within)
        self._loads.append(load)
        load.start()
        return load

    @property
    def hand(self) -> Hand:
        """For events written by hand."""
        return Hand(self.sender, self.sent)

    def await_members(self, count: int, stage: str = "ingest", deadline_s: float = 40.0) -> None:
        """Wait until the stage's consumer group has so many members and is settled."""
        self._await_group(
            stage,
            f"{count} members of the group",
            lambda found: found.state == ConsumerGroupState.STABLE and len(found.members) == count,
            deadline_s,
        )

    def await_joining(self, stage: str, deadline_s: float = 40.0) -> None:
        """Wait until somebody joins the stage's consumer group, or has."""
        self._await_group(stage, "somebody who joins the group", lambda found: bool(found.members), deadline_s)

    def _await_group(self, stage: str, what: str, is_so: Callable[[Any], bool], deadline_s: float) -> None:
        group = f"{self.kafka.group}-{stage}"

        # A client of its own: one that asked this lets librdkafka 2.16 abort when the broker goes away later.
        client = admin(self.kafka)

        def holds() -> bool:
            try:
                return is_so(client.describe_consumer_groups([group], request_timeout=5)[group].result())
            except KafkaException:
                return False

        self.wait(holds, f"{what} {group}", deadline_s)

    def await_counting(self, more: int = 1) -> None:
        """Wait until so many more messages are counted than are now."""
        before = self.counted_messages()
        self.wait(lambda: self.counted_messages() >= before + more, "counting to go on")

    def counted_messages(self) -> int:
        """How many messages of `mail.events` are counted, by the stored offsets.

        Raises:
            StoreError: the store cannot be reached.
        """
        with self.opened() as store:
            return int(store.rows(COUNTED_MESSAGES)[0][0])

    def await_counted(self, deadline_s: float = COUNTED_S) -> None:
        """Wait until everything that was acknowledged is counted, by the offsets stored with the counts."""
        with self.opened() as store:
            self.wait(lambda: not uncounted(self.sender, self.ids, store), "everything to be counted", deadline_s)

    def wait(self, condition: Callable[[], bool], what: str, deadline_s: float = COUNTED_S) -> None:
        """Wait for a condition; a failure tells what the workers said. A load that failed is waited for no longer."""
        asked = time.monotonic()
        end = asked + deadline_s
        while not condition():
            for load in self._loads:
                load.check()
            if time.monotonic() > end:
                raise AssertionError(
                    f"waited {deadline_s:g} s in vain for {what} ({self.sender.reported()}){self.said}"
                )
            time.sleep(pause_s(asked, LOOK_S))
            asked = time.monotonic()

    def assert_exact(self, after: str = "", *, dated: bool = True) -> None:
        """Every count, the evidence, the dead letters and the listings are exactly what was sent. `after` says what
        was done before; without `dated` in which minute late outcomes are counted does not matter."""
        with self.opened() as store:
            wrong = differences(self.sent, store, dated=dated)
        assert not wrong, f"{after}{': ' * bool(after)}{len(wrong):,} differences:\n{shown(wrong)}{self.said}"

    @contextlib.contextmanager
    def opened(self) -> Iterator[Store]:
        """The store, reached directly.

        Raises:
            StoreError: it cannot be reached.
        """
        store = open_store(self.clickhouse)
        try:
            yield store
        finally:
            store.close()

    def close(self) -> None:
        """Send no more, end every worker by its own process id, and close what leads to the store."""
        for load in self._loads:
            load.abandon()
        for worker in self.workers.values():
            worker.kill()
        for proxy in self.proxies.values():
            proxy.stop()
        # A client of a broker that is gone may not end; a failed test would keep it until it is.
        del self.sender

    def _started(self, name: str, stage: Stage, settings: dict[str, str]) -> Worker:
        environment = self.environment(self.proxy(name).url, **settings)
        worker = self.workers[name] = Worker(name, stage, environment, self._folder)
        worker.start()
        return worker

    @property
    def said(self) -> str:
        """What the workers wrote to stderr, to be read when something is wrong."""
        parts = [
            f"\n--- {worker.name} ({'running' if worker.running else f'ended with {worker.code}'}):\n{worker.said}"
            for worker in self.workers.values()
        ]
        return "".join(parts)


def _options(seed: int, messages: int, rate: float = 0.0) -> simulate.SimulationOptions:
    return simulate.SimulationOptions(seed=seed, customers=30, messages=messages, span_hours=6, rate=rate)
