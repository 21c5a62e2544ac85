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

#: Bounces are looked for this far back before the last look: they take a while to come in.
BOUNCES_LATE_MS = 10 * 60 * 1000


def scan_until_stopped(
    settings: Settings,
    publisher: Publisher,
    stop: threading.Event,
    say: Callable[[str], object],
    every_s: float | None,
) -> None:
    """Scan once, or every `every_s` seconds until stopped.

    In between, what waits for a second look is looked at, and what new bounces say is listed.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address, or the port of the metrics cannot be used.
        StoreError, BrokerError: store or broker failed.
    """
    numbers, store = ScanMetrics(), open_store(settings.clickhouse)
    server = StageServer(settings.metrics.host, settings.metrics.port, lambda: {"blocklists": numbers}, lambda: "")
    due, looked_ms = time.monotonic(), time.time_ns() // 1_000_000
    try:
        while True:
            second_looks = time.monotonic() < due
            if not second_looks:
                due = time.monotonic() + (every_s or 0)
            began_ms = time.time_ns() // 1_000_000
            result = run_scan(
                store,
                settings.blocklists,
                lambda key, value: publisher.publish(topics.MAIL_BLOCKLISTINGS, key, value),
                began_ms,
                acknowledged=publisher.flush,
                second_looks=second_looks,
                bounced_since_ms=looked_ms - BOUNCES_LATE_MS,
            )
            looked_ms = began_ms
            numbers.note(result, second_looks=second_looks)
            if result.events or not second_looks:
                say(str(result))
            if every_s is None:
                return
            # A moment more than that, so that the time between two looks is reached.
            wait_s = min(due - time.monotonic(), settings.blocklists.second_look_s + 1)
            if stop.wait(max(0.0, wait_s)):
                return
    finally:
        server.close()
        store.close()
