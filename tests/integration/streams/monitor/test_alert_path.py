"""The way of one alert, from the change message to the topic and the stored row, is the one that docs/architecture.md
follows file by file."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from schemas import policy, providers
from schemas.settings import Kafka, MonitorSettings
from schemas.topics import REPUTATION_CHANGES
from streams.alerts.record import store_alerts
from streams.io.broker import Publisher
from streams.io.changes import customers_in
from streams.io.store import Store
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge
from tests.support.api_client import Row
from tests.support.changes import announce
from tests.support.files_met import FilesMet
from tests.support.judging import Ground
from tests.support.root import ROOT
from tests.support.waiting import until

SECTION = re.compile(r"^## One alert, from top to bottom\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`((?:\w+/)+\w+\.py)`")


def path_of_an_alert(kafka: Kafka, store: Store, folder: Path) -> list[str]:
    """The files that the first alert of a customer passes, by the default policy.

    What a monitor does when it starts is over by then: somebody else is judged before.
    """
    met = FilesMet(customers_in, store_alerts)

    async def run() -> None:
        publisher = Publisher(kafka)
        judge = BatchJudge(store, policy.load_policy(), providers.load_providers(), publisher.publish, publisher.flush)
        settings = MonitorSettings(sweep_s=3600.0)
        monitor = Monitor(kafka, settings, judge, folder, publisher.partitions(REPUTATION_CHANGES))
        await monitor.start()
        try:
            announce(kafka, "zenith")
            await until(lambda: judge.metrics.judged > 0, "somebody else's judgement")
            Ground(store).put(Row(int(time.time()) - 600, delivered=900, hard=60))
            met.armed = True
            announce(kafka, "acme")
            await until(met.ended.is_set, "the alert's row")
        finally:
            assert await monitor.stop(10)

    with met.recorded():
        asyncio.run(run())
    return met.files


def test_alert_goes_the_way_that_the_page_on_the_architecture_shows(
    embedded_kafka: Kafka, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for timer in ("INCIDENTS_S", "FRESH_STARTS_S", "HOLDS_S", "OUTGOING_S"):
        monkeypatch.setattr(f"streams.monitor.timers.{timer}", 3600.0)  # like the sweep
    passed = path_of_an_alert(embedded_kafka, store, tmp_path)
    (section,) = SECTION.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    shown = FILE.findall(section)
    assert sorted(passed) == sorted(shown)
    assert len(shown) == len(set(shown))
