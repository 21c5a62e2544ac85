"""`repmon monitor`: the monitor stage alone."""

import asyncio
import signal
from typing import Any

from api.cli.lazy import command
from api.cli.options import with_settings
from api.http.health import StageHealth
from api.stack import running
from api.stack.stage_server import served
from api.stack.stages import MonitorStage
from jobs.embedded.folder import DataFolder
from schemas.settings import Settings
from schemas.topics import REPUTATION_ALERTS, REPUTATION_CHANGES, REPUTATION_HOLDS, REPUTATION_INCIDENTS
from streams.io.broker import admin
from streams.io.store import open_store

#: How long a batch that is judged may take to end, in s. Who is not judged is judged by the next monitor.
STOP_S = 5.0
#: What it reads and writes.
TOPICS = (REPUTATION_CHANGES, REPUTATION_ALERTS, REPUTATION_INCIDENTS, REPUTATION_HOLDS)


@command("repmon -c repmon.toml monitor")
@with_settings
def monitor(settings: Settings) -> None:
    """Judge changed customers, and send alerts."""

    async def run() -> None:
        over = asyncio.Event()
        running.tune_memory()
        folder = DataFolder(settings.embedded.data)
        failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        with served(StageHealth("monitor", settings, TOPICS, awaited=["monitor"]), settings) as health:
            # To make the stage takes as long as broker and store let it wait: while nobody knows that they answer, this
            # loop is to hear that it shall stop.
            await asyncio.to_thread(reach, settings)
            folder.make()
            for each in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(each, over.set)
            stage = MonitorStage(settings, folder.path / "faust", failed.set_result)
            starting = asyncio.create_task(stage.start())
            ends: list[asyncio.Future[Any]] = [asyncio.create_task(over.wait()), failed]
            await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                health.numbers["monitor"] = stage.judge.metrics
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            starting.cancel()
            await stage.stop(STOP_S)
        if failed.done():
            raise failed.result()

    running.run(run())


def reach(settings: Settings) -> None:
    """Wait until store and broker answer.

    Raises:
        BrokerError, StoreError: one does not.
    """
    open_store(settings.clickhouse).close()
    admin(settings.kafka)
