"""Monitor and ingest as stages that are started and stopped. `up` runs them together."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from api.stack.behind import IntakeDelay, topics_with_mail
from api.stack.policy import policy_in_force, with_decisions
from api.stack.reading import ingest_worker
from jobs.setup.generations import check_generation
from schemas import providers
from schemas.errors import ExternalError
from schemas.mail import MailSettings
from schemas.settings import Settings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_CHANGES
from streams.io import tracing
from streams.io.broker import Publisher
from streams.io.deployment import read_deployment
from streams.io.store import open_store
from streams.listings.causes import ListingCauses
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge
from streams.monitor.policy_levels import LevelsWritten

log = logging.getLogger("repmon.stages")


#: How long alerts that are sent may take to be acknowledged when a monitor stops, in s.
LAST_ALERTS_S = 5.0


class StageEndedError(ExternalError):
    """A stage ended by itself, and not by an error that says why; the message names it."""


class MonitorStage:
    """A monitor with its connections. `start` and `stop` belong to one event loop."""

    def __init__(
        self,
        settings: Settings,
        data: Path,
        failed: Callable[[BaseException], None] = lambda error: log.critical("%s", error),
    ) -> None:
        """`failed` is called with what ended the stage, should that end though nobody asked it to."""
        if settings.mail != MailSettings():
            from jobs.mail.mail import MailWriter

            MailWriter(settings.mail)  # a mistake in templates and languages is reported at the start
        tracing.start(settings.trace, "monitor")
        self._publisher = Publisher(settings.kafka)
        self._store = open_store(settings.clickhouse)
        for said in check_generation(self._store):
            log.warning("%s", said)
        #: The windows are read by another connection, so that they can be while others are judged.
        self._reader = open_store(settings.clickhouse)
        deployment = read_deployment(self._store, settings.deployment.name)
        in_force = policy_in_force(settings, self._store)
        log.info("judging by policy %s (%s)", in_force.policy.version, in_force.source)
        watch = with_decisions(settings, self._store, in_force, utc_now_ms)
        policy = watch.newer() or in_force.policy
        written = LevelsWritten(self._store, policy, watch.newer, utc_now_ms)
        self.judge = BatchJudge(
            self._store,
            policy,
            providers.load_providers(),
            self._publisher.publish,
            self._publisher.flush,
            settings.monitor,
            deployment,
            self._reader,
            IntakeDelay(settings.kafka, topics_with_mail(settings.ingest.formats), self._store),
        )
        partitions = self._publisher.partitions(REPUTATION_CHANGES)
        causes = ListingCauses(self._store, settings.blocklists.dedicated_pools)
        self._monitor = Monitor(
            settings.kafka, settings.monitor, self.judge, data, partitions, written.newer, causes.refresh, failed
        )

    async def start(self) -> None:
        """Begin to judge.

        Raises:
            BrokerError: the broker cannot be reached, or refuses.
        """
        await self._monitor.start()

    async def stop(self, patience_s: float | None = None) -> None:
        """Finish what is being handled, for no longer than `patience_s`.

        Raises:
            BrokerError: alerts were not acknowledged; they are stored as not sent.
        """
        idle = await self._monitor.stop(patience_s)
        try:
            await asyncio.to_thread(self._publisher.flush, LAST_ALERTS_S)
            await asyncio.to_thread(tracing.stop)
        finally:
            if idle:  # never under a query that still runs
                self._store.close()
                self._reader.close()

    def abandon(self) -> None:
        """What is judged ends with the next question to the store."""
        self._store.refuse()
        self._reader.refuse()


class IngestThread:
    """An ingest worker on a thread of its own; `failed` is called with what ended it, if anything did."""

    def __init__(self, settings: Settings, failed: Callable[[BaseException], None]) -> None:
        self.worker, self._store = ingest_worker(settings)
        self._failed = failed
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Begin to take events in."""
        self._thread.start()

    def end(self, timeout_s: float) -> bool:
        """Stop; True if it ended within `timeout_s`."""
        self.stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Stop without storing what is taken; see `IngestWorker.abandon`."""
        self.stop.set()
        self.worker.abandon()

    def drained(self, timeout_s: float) -> bool:
        """Wait until nothing more comes and everything is stored; then stop."""
        self.worker.when_drained(self.stop.set)
        return self.stop.wait(timeout_s)

    def _run(self) -> None:
        """However the worker ends, it is reported: nobody else looks at a thread."""
        try:
            self.worker.run(self.stop)
            if not self.stop.is_set():
                self._failed(StageEndedError("ingest: ended though nobody asked it to"))
        except Exception as error:
            self._failed(error)
        except:  # noqa: E722 - errors of the client may derive from nothing that could be named here
            error_type, raised, _ = sys.exc_info()
            log.critical("ingest ended", exc_info=True)
            self._failed(StageEndedError(f"ingest: ended by {error_type and error_type.__name__}: {raised}"))
        finally:
            self._store.close()
