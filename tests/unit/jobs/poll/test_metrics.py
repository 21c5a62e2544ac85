"""What polling tells Prometheus."""

from datetime import date

from prometheus_client import generate_latest

from api.http.metrics import registry
from jobs.poll.metrics import PollMetrics
from jobs.poll.reading import ProviderReading
from jobs.poll.round import Round


def test_metrics_of_polling() -> None:
    metrics = PollMetrics("postmaster")
    days = [date(2026, 11, 28), date(2026, 11, 29)]
    readings = [ProviderReading(source="postmaster", resource="a", day=day, measure="spam_rate") for day in days * 2]
    metrics.note(Round(readings=readings, asked=1), 1_000)
    metrics.note(Round(faults=["b: no access"], asked=2), 2_000)
    found = generate_latest(registry(lambda: {"poll": metrics})).decode()
    assert [line for line in found.splitlines() if line.startswith("repmon")] == [
        'repmon_poll_rounds_total{source="postmaster"} 2.0',
        'repmon_poll_days_read_total{source="postmaster"} 2.0',
        'repmon_poll_errors_total{source="postmaster"} 1.0',
        'repmon_poll_last_success_ms{source="postmaster"} 1000.0',
        'repmon_poll_last_round_ms{source="postmaster"} 2000.0',
    ]
