"""The demo: the whole stack around the embedded broker and store, a simulated fleet, and a live table."""

import asyncio
import threading
import time
from dataclasses import replace
from math import isnan
from pathlib import Path

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from api.stack.up import Stack, run_until_stopped
from api.stack.worst_now import WorstNow
from api.text.alert_line import alert_line
from api.text.harmless import harmless
from api.text.top import AROUND, plain, table
from jobs import simulate
from jobs.embedded.scratch import scratch_folder
from schemas.alert import AlertEvent
from schemas.events import read_event
from schemas.settings import ClickHouse, Kafka, Settings
from schemas.times import utc_now_ms
from schemas.topics import REPUTATION_ALERTS
from streams.io.broker import Publisher, consumer
from streams.io.store import open_store

SHOWN = 15
ALERTS_SHOWN = 8
REFRESH_S = 1.0
#: In a pipe the table is printed this often.
PRINT_S = 10.0
#: Ctrl-C shall end the demo soon; its data are gone afterwards anyway.
DRAIN_S = 2.0
#: What the simulator sent and the broker has not taken, in messages: it is waited for at the end.
MOST_QUEUED = 10_000


async def run_demo(
    settings: Settings, options: simulate.SimulationOptions, duration: float | None, truth: Path | None, out: Console
) -> None:
    """Run until stopped, or for `duration` seconds."""
    if duration is None and not out.is_terminal:
        duration = 60.0
    with scratch_folder("repmon-demo-") as folder:
        own = msgspec.structs.replace(
            settings,
            kafka=Kafka(),
            clickhouse=ClickHouse(),
            embedded=msgspec.structs.replace(
                settings.embedded, data=str(folder), broker=True, store=True, broker_port=0, store_port=0
            ),
            api=msgspec.structs.replace(settings.api, port=0),
        )
        said = "the demo brings its own"
        async with Stack(own, DRAIN_S, lambda line: _say(out, line), said) as stack:
            _say(
                out,
                f"A day of {options.customers} made-up customers is being played back; "
                f"API at {stack.api_url}/docs. Ctrl-C ends it.",
            )
            for line in stack.console_lines(link=True):
                _say(out, line)
            show = _Show(stack, out)
            await run_until_stopped(
                stack,
                seconds=duration,
                alongside=lambda stack, over: [
                    asyncio.create_task(_simulated(stack, options, truth, over)),
                    asyncio.create_task(show.alerts(over)),
                    asyncio.create_task(show.table(over)),
                ],
            )
            show.summary()


async def _simulated(
    stack: Stack, options: simulate.SimulationOptions, truth: Path | None, over: asyncio.Event
) -> None:
    """The simulator on a thread of its own, then in real time until the demo is over."""
    publisher = Publisher(stack.outside.kafka, **{"queue.buffering.max.messages": MOST_QUEUED})
    stop = threading.Event()

    def run() -> None:
        sent = simulate.run(
            replace(options, live_seconds=-1.0),
            publisher.publish,
            now_ms=utc_now_ms,
            stop=stop,
            sleep=time.sleep,
        )
        publisher.flush()
        if truth is not None:
            sent.write(truth)

    running = asyncio.create_task(asyncio.to_thread(run))
    ended = asyncio.create_task(over.wait())
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running


class _Show:
    """What the terminal shows: alerts as they come, the worst customers, how much was taken in."""

    def __init__(self, stack: Stack, out: Console) -> None:
        self._stack = stack
        self._out = out
        self._began = time.monotonic()
        self._recent: list[str] = []
        self._alerts = 0
        self._live: Live | None = None

    async def alerts(self, over: asyncio.Event) -> None:
        """Print each alert as it is emitted, read from its topic as any consumer would."""
        source = consumer(self._stack.settings.kafka, "demo")
        source.subscribe([REPUTATION_ALERTS])
        try:
            while not over.is_set():
                for message in await asyncio.to_thread(source.consume, 500, 0.2):
                    if message.error() is not None:
                        continue
                    # Among alerts there is what operators decided of customers.
                    if isinstance(event := read_event(message.value() or b""), AlertEvent):
                        self._alerts += 1
                        self._show(alert_line(event))
        finally:
            await asyncio.to_thread(source.close)

    async def table(self, over: asyncio.Event) -> None:
        """The table, every second on a terminal, now and then in a pipe."""
        store = await asyncio.to_thread(open_store, self._stack.settings.clickhouse)
        try:
            reader = await asyncio.to_thread(WorstNow, self._stack.settings, store)
            if self._out.is_terminal:
                with Live(console=self._out, auto_refresh=False, vertical_overflow="crop") as self._live:
                    while not over.is_set():
                        # Half of the terminal is for the alerts.
                        shown = min(SHOWN, max(1, self._out.height // 2 - AROUND))
                        lines = await asyncio.to_thread(reader.read, shown)
                        drawn = table(lines, self._title(), utc_now_ms(), self._out.width)
                        room = max(1, self._out.height - 1 - AROUND - len(lines))
                        recent = [_cut(line, self._out.width) for line in self._recent[-room:]]
                        self._live.update(Group(drawn, *recent), refresh=True)
                        await _pause(over, REFRESH_S)
            else:
                while not over.is_set():
                    await _pause(over, PRINT_S)
                    lines = await asyncio.to_thread(reader.read, SHOWN)
                    _say(self._out, f"--- {self._title()}")
                    for line in lines:
                        _say(self._out, plain(line, utc_now_ms()))
        finally:
            self._live = None
            await asyncio.to_thread(store.close)

    def summary(self) -> None:
        """The last line."""
        _say(self._out, self._title())

    def _show(self, line: str) -> None:
        if self._live is None:
            _say(self._out, line)
        else:
            self._recent = [*self._recent, line][-ALERTS_SHOWN:]

    def _title(self) -> str:
        metrics = self._stack.ingest.worker.metrics
        passed = time.monotonic() - self._began
        waiting = "?" if isnan(metrics.lag) else f"{metrics.lag:,.0f}"
        return (
            f"{metrics.messages:,} events taken in after {passed:.0f} s, {waiting} waiting, "
            f"{metrics.dead_letters} dead letters, {self._alerts} alerts"
        )


def _cut(line: str, width: int) -> Text:
    """As much of a line as fits; the alert is in the topic and in the store."""
    shown = Text(harmless(line))
    shown.truncate(width, overflow="ellipsis")
    return shown


def _say(out: Console, line: str) -> None:
    out.print(Text(harmless(line)))


async def _pause(over: asyncio.Event, wait_s: float) -> None:
    try:
        await asyncio.wait_for(over.wait(), wait_s)
    except TimeoutError:
        return
