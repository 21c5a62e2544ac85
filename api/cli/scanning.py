"""The blocklist scan as a stage: each zone in its turn, with second looks in between."""

import random
import threading
from collections.abc import Callable
from contextlib import closing

from api.http.health import StageHealth
from api.stack.stage_server import served
from jobs.blocklists.dnsbl import QueryProgress, query_options
from jobs.blocklists.metrics import ScanMetrics
from jobs.blocklists.result import ScanResult
from jobs.blocklists.scan import NEVER_MS, Scanner
from schemas import topics
from schemas.settings import Settings
from schemas.times import MINUTE_MS, utc_now_ms
from streams.io.broker import Publisher
from streams.io.store import Store, open_store

#: Bounces are looked for this far back before the last look: they take a while to come in.
BOUNCES_LATE_MS = 10 * MINUTE_MS
#: Zones whose turns are so close together are asked together.
TOGETHER_S = 1.0

Show = Callable[[ScanResult], object]


def scan_once(settings: Settings, publisher: Publisher, show: Show, progress: QueryProgress | None = None) -> None:
    """Ask every zone about everything.

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address.
        StoreError, BrokerError: store or broker failed.
    """
    with closing(open_store(settings.clickhouse)) as store:
        show(open_scanner(settings, store, publisher, progress).everything(utc_now_ms()))


def scan_until_stopped(
    settings: Settings,
    publisher: Publisher,
    stop: threading.Event,
    say: Callable[[str], object],
    show: Show,
    *,
    clock: Callable[[], int] = utc_now_ms,
    chance: Callable[[], float] = random.random,
) -> None:
    """Ask each zone in its turn until stopped.

    In between, what waits for a second look is looked at, and what new bounces say is listed. Shown is a scan that
    found something new, or with which a zone was asked about everything. `clock` is epoch ms, `chance` in [0, 1).

    Raises:
        BlocklistsError: the table of zones cannot be used.
        SettingsError: a resolver is not an IP address, or the port of the metrics cannot be used.
        StoreError, BrokerError: store or broker failed.
    """
    health = StageHealth("scan-blocklists", settings, [topics.MAIL_BLOCKLISTINGS])
    health.numbers["blocklists"] = numbers = ScanMetrics()
    # A moment more than that, so that the time between two looks is reached.
    second_look_ms = round(settings.blocklists.second_look_s * 1000) + 1000
    with served(health, settings), closing(open_store(settings.clickhouse)) as store:
        scanner = open_scanner(settings, store, publisher, chance=chance)
        looked_ms = clock()
        scanner.take_up(looked_ms)
        second_due_ms = NEVER_MS
        say(_beginning(scanner, looked_ms))
        while True:
            numbers.due_ms, began_ms = scanner.due_ms, clock()
            if scanner.due_ms <= began_ms:
                result = scanner.due_turns(began_ms)
                numbers.note(result, second_looks=False)
                if result.events or result.rounds:
                    show(result)
            if (second_ms := clock()) >= second_due_ms:
                result = scanner.second_looks(second_ms, looked_ms - BOUNCES_LATE_MS)
                looked_ms, second_due_ms = second_ms, NEVER_MS
                numbers.note(result, second_looks=True)
                if result.events:
                    show(result)
            over_ms = clock()
            second_due_ms = min(second_due_ms, over_ms + second_look_ms)
            wait_ms = min(scanner.due_ms, second_due_ms) - over_ms
            if stop.wait(max(TOGETHER_S, wait_ms / 1000)):
                return


def open_scanner(
    settings: Settings,
    store: Store,
    publisher: Publisher,
    progress: QueryProgress | None = None,
    chance: Callable[[], float] = random.random,
) -> Scanner:
    """A scanner that reports to the topic of blocklist events.

    Raises:
        BlocklistsError: the table of zones cannot be used.
    """
    return Scanner(
        store,
        settings.blocklists,
        lambda key, value: publisher.publish(topics.MAIL_BLOCKLISTINGS, key, value),
        acknowledged=publisher.flush,
        how=query_options(settings.blocklists, progress),
        chance=chance,
    )


def _beginning(scanner: Scanner, at_ms: int) -> str:
    if scanner.due_ms == NEVER_MS:
        return "no list is asked: all of them need a key"
    return f"lists asked: {scanner.zone_count}; the first turn in {max(0, scanner.due_ms - at_ms) / 1000:.0f} s"
