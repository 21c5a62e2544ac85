"""The blocklist scan as a stage: every now and then, with second looks in between."""

import threading
import time
from collections.abc import Callable

from api.metrics import StageServer
from jobs.blocklist_scan import run_scan
from jobs.scan_metrics import ScanMetrics
from schemas import topics
from schemas.settings import Settings
from streams.broker import Publisher
from streams.store import open_store


def scan_until_stopped(
    settings: Settings,
    publisher: Publisher,
    stop: threading.Event,
    say: Callable[[str], object],
    every_s: float | None,
) -> None:
    """Scan once, or every `every_s` seconds until stopped; what waits for a second look is looked at in between.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address, or the port of the metrics cannot be used.
        StoreError, BrokerError: store or broker failed.
    """
    numbers, store = ScanMetrics(), open_store(settings.clickhouse)
    server = StageServer(settings.metrics.host, settings.metrics.port, lambda: {"blocklists": numbers}, lambda: "")
    due = time.monotonic()
    try:
        while True:
            second_looks = time.monotonic() < due
            if not second_looks:
                due = time.monotonic() + (every_s or 0)
            result = run_scan(
                store,
                settings.blocklists,
                lambda key, value: publisher.publish(topics.MAIL_BLOCKLISTINGS, key, value),
                time.time_ns() // 1_000_000,
                acknowledged=publisher.flush,
                second_looks=second_looks,
            )
            numbers.note(result, second_looks=second_looks)
            if result.events or not second_looks:
                say(str(result))
            if every_s is None:
                return
            wait_s = max(0.0, due - time.monotonic())
            if result.waiting:
                # A moment more, so that the time between the two looks is reached.
                wait_s = min(wait_s, settings.blocklists.second_look_s + 1)
            if stop.wait(wait_s):
                return
    finally:
        server.close()
        store.close()
