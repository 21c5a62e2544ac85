"""`repmon monitor`: the monitor stage alone."""

import asyncio
import signal

from api.cli.lazy import command
from api.cli.options import with_settings
from api.http.metrics import StageServer
from api.stack import running
from api.stack.stages import MonitorStage
from jobs.embedded.folder import DataFolder
from schemas.settings import Settings


@command("repmon -c repmon.toml monitor")
@with_settings
def monitor(settings: Settings) -> None:
    """Judge changed customers, and send alerts."""

    async def run() -> None:
        over = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, over.set)
        running.tune_memory()
        folder = DataFolder(settings.embedded.data)
        folder.make()
        stage = MonitorStage(settings, folder.path / "faust")
        where = (settings.metrics.host, settings.metrics.port)
        server = StageServer(*where, lambda: {"monitor": stage.judge.metrics}, lambda: "")
        await stage.start()
        await over.wait()
        await stage.stop()
        server.close()

    running.run(run())
