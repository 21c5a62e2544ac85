"""`repmon status` finds what it shows of a stage among the stage's metrics."""

from prometheus_client import CollectorRegistry, generate_latest

from api.http.metrics import StageCollector
from api.stack.status import LAST_STORED, WAITING
from streams.intake.metrics import IngestMetrics
from streams.monitor.totals import JudgingTotals


def test_numbers_of_a_stage_are_found_among_its_metrics() -> None:
    stages = {"ingest": IngestMetrics(last_stored_ms=1_795_000_000_000), "monitor": JudgingTotals(waiting_customers=3)}
    registry = CollectorRegistry()
    registry.register(StageCollector(lambda: stages))
    shown = generate_latest(registry).decode()
    found = [pattern.search(shown) for pattern in (LAST_STORED, WAITING)]
    assert [each and float(each[1]) for each in found] == [1_795_000_000_000, 3]
