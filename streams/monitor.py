"""The monitor stage: changed customers in, verdicts and alerts out.

A Faust agent reads `reputation.changes` in batches and has each batch judged. Faust keeps no table: all state is
in ClickHouse, and a change that is read twice is judged twice to the same end. Besides, customers who do not stand
well are judged on every sweep, since windows slide without any event, and everybody at the start and now and then.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterable, Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import faust
import msgspec

from schemas.change import Change
from schemas.settings import Kafka
from schemas.settings import Monitor as MonitorSettings
from schemas.topics import REPUTATION_CHANGES
from streams.broker import BrokerError
from streams.store import StoreError
from streams.verdicts import Judge

log = logging.getLogger("repmon.monitor")

EVERYBODY_S = 600.0
RETRY_S = (0.5, 15.0)
#: Customers judged at once: what one window query is asked for.
AT_ONCE = 2_000
CHANGE = msgspec.json.Decoder(Change)


class Monitor:
    """The Faust app and the timers around it, inside the caller's event loop."""

    def __init__(self, kafka: Kafka, settings: MonitorSettings, judge: Judge, data: Path, partitions: int) -> None:
        self._settings = settings
        self._judge = judge
        self._partitions = partitions
        self._lock = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._timers: list[asyncio.Task[None]] = []
        self.app = self._faust(kafka, data)
        topic = self.app.topic(
            REPUTATION_CHANGES, value_type=bytes, value_serializer="raw", key_serializer="raw", internal=False
        )
        self.app.agent(topic, name="changes")(self._changes)

    async def start(self) -> None:
        """Join the group and begin to judge. Returns once the app runs."""
        await self.app.maybe_start()
        self._timers = [asyncio.create_task(self._sweep()), asyncio.create_task(self._everybody())]

    async def stop(self, patience_s: float | None = None) -> bool:
        """Leave once the batch in hand is finished, or after `patience_s`. True: nothing is being judged any more.

        A batch that is left is not acknowledged, so whoever takes the partition next judges it again.
        """
        self._stopping.set()
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
        try:
            async with asyncio.timeout(patience_s), self._lock:
                idle = True
        except TimeoutError:
            idle = False
        # Without its broker the app would never end, so this comes in any case.
        await self.app.stop()
        return idle

    def _faust(self, kafka: Kafka, data: Path) -> Any:
        return faust.App(
            f"{kafka.group}-monitor",
            broker=[f"kafka://{address}" for address in kafka.bootstrap.split(",")],
            broker_credentials=_credentials(kafka),
            broker_session_timeout=kafka.session_timeout_ms / 1000,
            broker_heartbeat_interval=max(0.5, kafka.session_timeout_ms / 4000),
            broker_max_poll_interval=600.0,
            store="memory://",
            stream_wait_empty=False,
            datadir=str(data),
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=False,
        )

    async def _changes(self, stream: Any) -> AsyncIterable[None]:
        async for batch in stream.take(self._settings.batch, within=self._settings.within_s):
            await self._judged(_customers(batch))
            yield

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            await self._judged_among(self._judge.not_good)

    async def _everybody(self) -> None:
        while True:
            await self._judged_among(lambda: self._judge.everybody(_now_ms()))
            await asyncio.sleep(EVERYBODY_S)

    async def _judged_among(self, who: Any) -> None:
        """Judge those found whose partition is ours, so that several monitors share the work."""
        try:
            async with self._lock:
                found = await asyncio.to_thread(who)
        except StoreError as error:
            log.warning("%s; left to the next sweep", error)
            return
        ours = {part.partition for part in self.app.assignor.assigned_actives() if part.topic == REPUTATION_CHANGES}
        await self._judged({each for each in found if crc32(each.encode()) % self._partitions in ours})

    async def _judged(self, customers: Iterable[str]) -> None:
        """Judge, and judge again until store and broker answer: a change is never skipped."""
        wanted = sorted(customers)
        wait = RETRY_S[0]
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            while True:
                if self._stopping.is_set():
                    # Never acknowledged: the next owner of the partition judges these.
                    await asyncio.Event().wait()
                try:
                    async with self._lock:
                        alerts = await asyncio.to_thread(self._judge.judge_customers, part, _now_ms())
                except (StoreError, BrokerError) as error:
                    log.warning("%s; trying again in %.1f s", error, wait)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), wait)
                    wait = min(wait * 2, RETRY_S[1])
                else:
                    for alert in alerts:
                        log.info("%s %s %s", alert.data.kind, alert.subject, alert.data.explanation)
                    break


def _customers(batch: Iterable[bytes]) -> set[str]:
    found = set()
    for value in batch:
        try:
            found.add(CHANGE.decode(value).customer)
        except msgspec.DecodeError as error:
            log.warning("%s: not a change, skipped: %s", REPUTATION_CHANGES, error)
    return found


def _credentials(kafka: Kafka) -> Any:
    """Faust's credentials from librdkafka's option names; only SASL over TLS or plain text is translated."""
    options = kafka.options
    if "sasl.username" not in options:
        return None
    tls = options.get("security.protocol", "").upper() == "SASL_SSL"
    context = None
    if tls:
        import ssl

        context = ssl.create_default_context(cafile=options.get("ssl.ca.location"))
    return faust.SASLCredentials(
        username=options["sasl.username"],
        password=kafka.sasl_password,
        mechanism=options.get("sasl.mechanism", options.get("sasl.mechanisms", "PLAIN")),
        ssl_context=context,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
