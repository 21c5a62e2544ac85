"""Keeping the embedded broker small: producers wait while too much is uncounted, and its topics are remade after so
many bytes, since it gives memory back in no other way."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable

from api.stack.stages import IngestThread
from jobs.embedded.broker import EmbeddedBroker
from jobs.setup.topics import remake_topics
from schemas import topics
from schemas.settings import Settings
from streams.io.broker import BrokerError

log = logging.getLogger("repmon.stack")

WATCH_S = 0.1
#: How long it is waited for a next message to be counted before the topics are remade, in s. What cannot be read, and
#: was not read on for that, is set aside then: that takes longer.
ROLL_S = 60.0
#: How long the watch may take to end once it is cancelled, in s.
CANCELLED_S = 1.0
#: Acknowledged messages not yet taken: producers wait above the first, until the second is reached. This bounds, with
#: the two flushes of `up.MOST_EVENTS` that are taken and not stored, what a power cut can cost the embedded default and
#: how long a stop takes.
BACKLOG = (30_000, 15_000)
#: What a message takes at least on its way, in bytes, packed with others.
LEAST_BYTES = 50.0
#: The topics whose memory is given back, with those of `ingest.formats`. Alerts are few and stay.
ROLLED = (topics.MAIL_EVENTS, topics.MAIL_BLOCKLISTINGS, topics.DEAD_LETTERS)
#: Changes are small, and the monitor who reads them must leave its group and join again when their topic is made
#: again, which takes the broker ten seconds and more: nobody is judged then. So that is done only when our own stages
#: sent one part of so many of `embedded.roll_bytes`.
CHANGES_PART = 4


class BrokerWatch:
    """Watches from `start` to `stop`. `failed` is called with what ends the run; the monitor is away between
    `judging_off` and `judging_on`."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        settings: Settings,
        ingest: IngestThread,
        failed: Callable[[BaseException], None],
        judging_off: Callable[[], Awaitable[None]],
        judging_on: Callable[[], Awaitable[None]],
    ) -> None:
        self._broker = broker
        self._settings = settings
        self._ingest = ingest
        self._failed = failed
        self._judging_off = judging_off
        self._judging_on = judging_on
        self._stopping = asyncio.Event()
        #: Whether the topics are made again and the monitor is joining its group.
        self._joining = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: How often the topics were remade.
        self.rolls = 0
        #: How much our own stages had sent when the topic of changes was made, in bytes.
        self._changes_from = 0

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._guarded())

    async def stop(self, patience_s: float) -> None:
        """End, once a remaking under way is through: while it is, nobody may produce, or what is acknowledged then
        goes with the topics. Those who wait wait on. That judging goes on after it is not waited for: to join the
        group again takes seconds."""
        self._stopping.set()
        if self._task is not None:
            joining = asyncio.create_task(self._joining.wait())
            await asyncio.wait({self._task, joining}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            joining.cancel()
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CANCELLED_S)

    async def _guarded(self) -> None:
        """However the watch ends, it is reported: without it producers do not wait and no memory is given back."""
        try:
            await self._watching()
        except Exception as error:
            self._failed(error)

    async def _watching(self) -> None:
        broker, gate = self._broker, self._broker.gate
        held = False
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), WATCH_S)
                return
            if (code := broker.exit_code) is not None:
                self._failed(BrokerError(f"embedded broker: ended by itself ({code}); see {broker.log_file}"))
                return
            paused, behind = self._ingest.worker.metrics.paused, await self._behind()
            if not held and (paused or behind > BACKLOG[0]):
                held = True
                await asyncio.to_thread(gate.hold)
            elif not paused and behind < (BACKLOG[1] if held else BACKLOG[0]):
                held = False
                gate.release((BACKLOG[0] - behind) * self._bytes_each(behind))
            if gate.produced_bytes >= self._settings.embedded.roll_bytes:
                await self._roll()
                held = False

    def _bytes_each(self, behind: int) -> float:
        """About how many bytes a message takes on its way, as those did that came so far."""
        came = self._ingest.worker.metrics.messages + behind
        return max(LEAST_BYTES, self._broker.gate.outside_bytes / max(1, came))

    async def _behind(self) -> int:
        worker = self._ingest.worker
        try:
            return await asyncio.to_thread(worker.behind)
        except BrokerError as error:
            log.info("%s", error)
            return BACKLOG[0]  # neither to be held nor to be released: nobody can produce now

    async def _roll(self) -> None:
        """Count everything, make the topics again, continue. Producers wait for about two seconds, and judging goes on.
        Where the topic of changes is among them it waits for as long as the monitor takes to join again, which then
        judges everybody."""
        gate, kafka = self._broker.gate, self._settings.kafka
        rolled = {**dict.fromkeys(ROLLED), **self._settings.ingest.formats}
        of_changes = gate.inside_bytes - self._changes_from >= self._settings.embedded.roll_bytes / CHANGES_PART
        log.info("giving back the broker's memory: %d bytes were taken in", gate.produced_bytes)
        await asyncio.to_thread(gate.hold)
        try:
            if of_changes:
                rolled[topics.REPUTATION_CHANGES] = None
                await self._judging_off()
            remade = threading.Event()
            errors: list[BaseException] = []

            def remake() -> None:
                try:
                    gate.close()
                    known = topics.with_sources(rolled)
                    remake_topics(kafka, [known[name] for name in rolled])
                    gate.open()
                except BaseException as error:  # it comes from a thread, and the run is to end with it
                    errors.append(error)
                remade.set()

            self._ingest.worker.when_drained(remake)
            came = -1
            while not await asyncio.to_thread(remade.wait, ROLL_S):
                if came == (came := self._ingest.worker.metrics.messages):
                    raise BrokerError(f"the embedded broker could not be drained: nothing came for {ROLL_S:g} s")
            if errors:
                raise errors[0]
            gate.forget()
            if of_changes:
                self._changes_from = gate.inside_bytes
        finally:
            gate.release(BACKLOG[0] * self._bytes_each(0))
        self.rolls += 1
        if of_changes and not self._stopping.is_set():
            self._joining.set()
            await self._judging_on()
            self._joining.clear()
