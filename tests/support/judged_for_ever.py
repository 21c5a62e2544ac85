"""A stack whose monitor asks a question that takes for ever, stopped: `python -m tests.support.judged_for_ever DATA`.

A process of its own, since one process can open only one chDB path. Prints whether the engine runs before and after.
"""

import asyncio
import sys

from api.stack.running import run
from api.stack.up import Stack
from schemas.settings import Api, Embedded, MonitorSettings, Settings
from streams.io.store import open_store
from tests.support.engine import engine_runs

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
RUNNING = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT count() FROM numbers(1000%'"


async def main(data: str) -> None:
    """Start, wait until the question is asked, and stop."""
    settings = Settings(
        embedded=Embedded(data=data, broker_port=0, store_port=0),
        api=Api(port=0),
        monitor=MonitorSettings(sweep_s=0.1, alone_wait_s=0.1),
    )
    async with Stack(settings) as stack:
        asking, watching = open_store(stack.settings.clickhouse), open_store(stack.settings.clickhouse)
        # Asked on the monitor's thread, on every sweep.
        setattr(stack.monitor.judge, "not_good", lambda: asking.rows(ENDLESS))  # noqa: B010 - for the type checker
        while watching.rows(RUNNING)[0][0] == 0:  # noqa: ASYNC110 - asks another
            await asyncio.sleep(0.05)
        watching.close()
        print("runs:", engine_runs())
    asking.close()
    print("runs:", engine_runs(), "drained:", stack.drained)


if __name__ == "__main__":
    run(main(sys.argv[1]))
