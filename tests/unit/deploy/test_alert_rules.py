"""Each Prometheus rule is fired by the fault it is for, and by no other; promtool evaluates them.

The numbers are those of the stages' own metrics and of the judgement that `/healthz` answers with.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Self, get_args

import pytest

from api.collect.numbers import CollectorMetrics, RequestOutcome
from api.http.health import parts_metrics, seen_of
from api.http.metrics import registry
from docs.generate.metrics import names, registries
from jobs.blocklists.metrics import ScanMetrics
from jobs.notify.metrics import NotifyMetrics
from jobs.poll.metrics import PollMetrics
from streams.intake.metrics import IngestMetrics
from streams.io.health import Contact, Disk, Observations, verdict
from streams.monitor.totals import JudgingTotals
from tests.support import alert_rules
from tests.support.alert_rules import ASKED_MS, RULES, Case, Samples

GB = 1_000_000_000
#: Of the scrape itself: Prometheus writes it for each stage.
UP = 'up{instance="worker:9100",job="repmon"}'
ANSWERS = Contact(answered_ms=ASKED_MS - 1_000)
SILENT = Contact(answered_ms=ASKED_MS - 600_000, trouble="cannot be reached")


def well() -> Observations:
    disk = Disk(where="/var/lib/clickhouse", free_bytes=60 * GB, total_bytes=100 * GB)
    return Observations(now_ms=ASKED_MS, broker=ANSWERS, store=ANSWERS, disk=disk)


@dataclass
class Installation:
    """Every stage, at work."""

    ingest: IngestMetrics = field(default_factory=lambda: IngestMetrics(lag=20, last_stored_ms=ASKED_MS - 1_000))
    monitor: JudgingTotals = field(default_factory=lambda: JudgingTotals(last_batch_ms=ASKED_MS - 2_000))
    scan: ScanMetrics = field(
        default_factory=lambda: ScanMetrics(last_scan_ms=ASKED_MS - 60_000, due_ms=ASKED_MS + 60_000)
    )
    poll: PollMetrics = field(default_factory=lambda: PollMetrics("snds", last_success_ms=ASKED_MS - 40_000_000))
    notify: NotifyMetrics = field(default_factory=NotifyMetrics)
    collect: CollectorMetrics = field(default_factory=CollectorMetrics)
    seen: Observations = field(default_factory=well)
    up: float = 1.0

    def samples(self) -> Samples:
        """What Prometheus reads of it."""
        numbers = {"ingest": self.ingest, "monitor": self.monitor, "blocklists": self.scan}
        seen = replace(self.seen, **seen_of(numbers, 0))
        own = registry(
            lambda: {**numbers, "poll": self.poll, "notify": self.notify, "health": parts_metrics(seen)},
            lambda: verdict("up", seen),
        )
        return {UP: self.up, **alert_rules.of_registry(own), **alert_rules.of_registry(self.collect.registry)}

    def sees(self, **changes: object) -> Self:
        self.seen = replace(self.seen, **changes)  # type: ignore[arg-type]
        return self

    def webhooks(self, outcome: str, number: int) -> None:
        self.collect.requests.labels("ses", outcome).inc(number)

    def set(self, **changes: float | str) -> Self:
        for stage in (self.ingest, self.monitor, self.scan, self.poll, self.notify):
            for name in changes.keys() & vars(stage).keys():
                setattr(stage, name, changes[name])
        return self


LONG_AGO = ASKED_MS - 7_300_000
#: What is done to an installation by each fault, and the rules that fire then.
FAULTS: dict[str, tuple[Callable[[Installation], object], set[str]]] = {
    "well": (lambda _: None, set()),
    "mail comes and is counted": (lambda to: to.set(messages=10**7, stored=10**7, dead_letters=50_000), set()),
    "a stage is gone": (lambda to: setattr(to, "up", 0.0), {"RepmonStageDown"}),
    "a stage waits at its start": (lambda to: to.sees(starting=True), {"RepmonStageDoesNotStart"}),
    "broker frozen or dead": (lambda to: to.sees(broker=SILENT).set(lag=nan), {"RepmonBrokerSilent"}),
    "topic deleted": (lambda to: to.sees(missing=(("mail.events", LONG_AGO),)), {"RepmonTopicMissing"}),
    "store down": (
        lambda to: to.sees(store=SILENT).set(lag=50_000, lag_since_ms=LONG_AGO, last_stored_ms=LONG_AGO),
        {"RepmonStoreSilent"},
    ),
    "disk full": (
        lambda to: to.sees(disk=Disk(where="/", free_bytes=GB // 10, total_bytes=100 * GB)).set(
            trouble="no space left", lag=50_000, lag_since_ms=LONG_AGO, last_stored_ms=LONG_AGO
        ),
        {"RepmonDiskFull"},
    ),
    "disk fills": (
        lambda to: to.sees(disk=Disk(where="/", free_bytes=20 * GB, total_bytes=100 * GB)),
        {"RepmonDiskFills"},
    ),
    "disk of which much is free fills": (
        lambda to: to.sees(disk=Disk(where="/", free_bytes=52 * GB, total_bytes=100 * GB)),
        set(),
    ),
    "store refuses what is counted": (
        lambda to: to.set(lag=900, lag_since_ms=LONG_AGO, last_stored_ms=LONG_AGO),
        {"RepmonStoringStuck"},
    ),
    "nothing comes": (lambda to: to.set(lag=0, last_stored_ms=LONG_AGO), set()),
    "monitor hangs": (lambda to: to.set(judging_since_ms=LONG_AGO), {"RepmonMonitorStuck"}),
    "nothing is to be judged": (lambda to: to.set(last_batch_ms=LONG_AGO), set()),
    "most of a topic cannot be read": (lambda to: to.set(stopped_topics=1), {"RepmonTopicStopped"}),
    "some messages cannot be read": (
        lambda to: to.set(messages=1_000_000, dead_letters=20_000),
        {"RepmonUnreadableMessages"},
    ),
    "broker deleted what was not read": (lambda to: to.set(lost_messages=4_000), {"RepmonMessagesLost"}),
    "names are invented": (lambda to: to.set(refused_names=4_000), {"RepmonNewNamesRefused"}),
    "customers are invented": (lambda to: to.set(refused_customers=4_000), {"RepmonNewCustomersRefused"}),
    "ids do not fit": (lambda to: to.set(forgotten_ids=4_000), {"RepmonIdsForgotten"}),
    "storing is behind": (lambda to: to.set(waiting=1), {"RepmonReadingPaused"}),
    "more comes than is counted": (lambda to: to.set(lag=3_000_000), {"RepmonLagGrows"}),
    "webhooks are not taken": (lambda to: to.webhooks("unavailable", 500), {"RepmonWebhooksNotTaken"}),
    "webhooks are refused": (lambda to: to.webhooks("refused", 500), {"RepmonWebhooksRefused"}),
    "webhooks are taken": (lambda to: to.webhooks("taken", 500_000), set()),
    "scan hangs": (lambda to: to.set(last_scan_ms=LONG_AGO, due_ms=LONG_AGO), {"RepmonBlocklistsNotScanned"}),
    "no list is asked": (lambda to: to.set(last_scan_ms=0, due_ms=1 << 53), set()),
    "scan is late": (lambda to: to.set(turn_late_seconds=700), {"RepmonBlocklistsLate"}),
    "a provider's credentials ran out": (
        lambda to: to.set(last_success_ms=ASKED_MS - 200_000_000),
        {"RepmonNotPolled"},
    ),
    "a target takes nothing": (lambda to: to.set(oldest_due_seconds=5_000), {"RepmonNotificationsWait"}),
    "a target refuses": (lambda to: to.set(failed=3), {"RepmonNotificationsFailed"}),
    "a list lists everything": (lambda to: to.set(distrusted_zones=1), {"RepmonBlocklistsDistrusted"}),
    "a list answers no more": (lambda to: to.set(oldest_answer_seconds=30_000), {"RepmonListingsUnchecked"}),
}
#: Numbers that change little by little.
GRADUAL = frozenset({"repmon_ingest_lag", "repmon_health_disk_free_bytes"})
GRADUAL_IN = ("more comes than is counted", "disk fills", "disk of which much is free fills")


def test_rules_use_metrics_that_exist() -> None:
    known = set().union(*(names(each) for _, each in registries()))
    used = alert_rules.used_metrics()
    assert len(used) > 10
    assert used - {"up"} <= known


def test_rules_ask_for_outcomes_of_webhooks_that_exist() -> None:
    asked = set(re.findall(r'outcome="(\w+)"', RULES.read_text(encoding="utf-8")))
    assert asked
    assert asked <= set(get_args(RequestOutcome))


def test_each_rule_is_fired_by_the_fault_it_is_for_and_by_no_other(tmp_path: Path) -> None:
    cases = {}
    for name, (fault, fires) in FAULTS.items():
        installation = Installation()
        fault(installation)
        gradual = GRADUAL if name in GRADUAL_IN else frozenset[str]()
        cases[name] = Case(Installation().samples(), installation.samples(), frozenset(fires), gradual)
    # A rule without its fault is none that anybody has seen fire.
    assert set().union(*(case.fires for case in cases.values())) == alert_rules.rule_names()
    alert_rules.check(cases, tmp_path)


def test_silence_of_all_stages_is_an_alert(tmp_path: Path) -> None:
    alert_rules.check({"nothing is scraped": Case({}, {}, frozenset({"RepmonStageDown"}))}, tmp_path)


def test_rule_that_should_fire_and_does_not_is_found(tmp_path: Path) -> None:
    quiet = Installation().samples()
    with pytest.raises(AssertionError, match=r"case=\"well\""):
        alert_rules.check({"well": Case(quiet, quiet, frozenset({"RepmonDiskFull"}))}, tmp_path)
