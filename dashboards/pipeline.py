"""The dashboard "Pipeline": whether every stage does its work, from Prometheus. Metrics: docs/metrics.md."""

from dashboards.build import DURATION, Group, PlacedPanel, graph, numbers
from dashboards.model import PromTarget

JOB = 'job="repmon"'
#: Epoch ms, as metrics have them, to how long ago that is in s; none where it is 0.
AGE = "time() - ({metric}{{{job}}} > 0) / 1000"


def _prom(expr: str, legend: str = "{{instance}}", ref: str = "A", *, instant: bool = False) -> PromTarget:
    return PromTarget(expr=expr, legend_format=legend, ref_id=ref, instant=instant, range=not instant)


def _rate(metric: str, by: str = "instance") -> str:
    return f"sum by ({by}) (rate({metric}{{{JOB}}}[$__rate_interval]))"


def _value(metric: str) -> str:
    return f"{metric}{{{JOB}}}"


def _age(metric: str) -> str:
    return AGE.format(metric=metric, job=JOB)


def health() -> Group:
    """What fails, as `/healthz` says it."""
    failing = numbers(
        "What fails",
        [
            _prom(f"sum by (stage, part) (repmon_health_failing{{{JOB}}}) > 0", "{{stage}}: {{part}}", instant=True),
            _prom(f"count by (instance) (up{{{JOB}}} == 0)", "{{instance}} does not answer", "B", instant=True),
        ],
        description="The parts that fail by the judgement of `/healthz` (docs/health.md). Nothing here: all is well.",
    )
    stages = numbers(
        "Topics missing or read no more",
        [
            _prom(f"sum(repmon_health_missing_topics{{{JOB}}}) or vector(0)", "missing", instant=True),
            _prom(f"sum(repmon_ingest_stopped_topics{{{JOB}}}) or vector(0)", "stopped", "B", instant=True),
            _prom(f"sum(repmon_ingest_deleted_topics{{{JOB}}}) or vector(0)", "deleted", "C", instant=True),
        ],
    )
    disk = graph(
        "Room on the store's disk",
        [_prom(f"min by (instance) (repmon_health_disk_free_bytes{{{JOB}}} > 0)")],
        unit="bytes",
    )
    answered = graph(
        "How long ago broker and store answered",
        [
            _prom(_age("repmon_health_broker_answered_ms"), "broker, {{instance}}"),
            _prom(_age("repmon_health_store_answered_ms"), "store, {{instance}}", "B"),
        ],
        unit=DURATION,
    )
    return Group(
        "Health",
        (
            PlacedPanel(failing, 12, 5),
            PlacedPanel(stages, 12, 5),
            PlacedPanel(answered, 12, 7),
            PlacedPanel(disk, 12, 7),
        ),
    )


def intake() -> Group:
    """From the broker into the store."""
    taken = graph(
        "Messages taken and stored, a second",
        [
            _prom(_rate("repmon_ingest_messages_total"), "taken, {{instance}}"),
            _prom(_rate("repmon_ingest_stored_total"), "stored, {{instance}}", "B"),
        ],
    )
    lag = graph("Messages that wait to be stored", [_prom(_value("repmon_ingest_lag"))])
    since = graph("Since when messages wait", [_prom(_age("repmon_ingest_lag_since_ms"))], unit=DURATION)
    flush = graph(
        "A flush takes",
        [_prom(f"{_rate('repmon_ingest_flush_seconds_total')} / {_rate('repmon_ingest_flushes_total')}")],
        unit=DURATION,
    )
    bad = graph(
        "Dead letters, repetitions and losses, a second",
        [
            _prom(_rate("repmon_ingest_dead_letters_total"), "dead letters, {{instance}}"),
            _prom(_rate("repmon_ingest_duplicates_total"), "repetitions, {{instance}}", "B"),
            _prom(_rate("repmon_ingest_negative_duplicates_total"), "repeated bounces, {{instance}}", "C"),
            _prom(_rate("repmon_ingest_lost_messages_total"), "lost, {{instance}}", "D"),
        ],
    )
    trouble = graph(
        "Failures of the store, pauses, batches of another worker, a second",
        [
            _prom(_rate("repmon_ingest_store_failures_total"), "failures, {{instance}}"),
            _prom(_rate("repmon_ingest_pauses_total"), "pauses, {{instance}}", "B"),
            _prom(_rate("repmon_ingest_fenced_total"), "stored by another first, {{instance}}", "C"),
        ],
    )
    memory = graph("Memory of event ids", [_prom(_value("repmon_ingest_known_ids_bytes"))], unit="bytes")
    panels = (taken, lag, since, flush, bad, trouble, memory)
    return Group("Intake", tuple(PlacedPanel(each, 8, 7) for each in panels))


def judging() -> Group:
    """From changes to alerts and who is told."""
    judged = graph(
        "Judged, a second",
        [
            _prom(_rate("repmon_monitor_judged_total"), "judgements, {{instance}}"),
            _prom(_rate("repmon_monitor_alerts_total"), "alerts, {{instance}}", "B"),
        ],
    )
    batch = graph(
        "A batch of customers takes",
        [
            _prom(_value("repmon_monitor_last_batch_seconds"), "last, {{instance}}"),
            _prom(_age("repmon_monitor_judging_since_ms"), "under way, {{instance}}", "B"),
        ],
        unit=DURATION,
    )
    told = graph(
        "Notifications",
        [
            _prom(_value("repmon_notify_waiting"), "waiting, {{instance}}"),
            _prom(_value("repmon_notify_failing_routes"), "failing routes, {{instance}}", "B"),
            _prom(f"increase(repmon_notify_failed_total{{{JOB}}}[1h])", "dead letters in an hour, {{instance}}", "C"),
        ],
    )
    late = graph(
        "The oldest notification is overdue", [_prom(_value("repmon_notify_oldest_due_seconds"))], unit=DURATION
    )
    return Group("Judging and telling", tuple(PlacedPanel(each, 12, 7) for each in (judged, batch, told, late)))


def asking() -> Group:
    """What asks others, and whom others ask."""
    scan = graph(
        "Questions to blocklists, a second",
        [
            _prom(_rate("repmon_blocklists_looks_total"), "asked, {{instance}}"),
            _prom(_rate("repmon_blocklists_failed_looks_total"), "taught nothing, {{instance}}", "B"),
        ],
    )
    scanned = graph(
        "Blocklists: how late, how old",
        [
            _prom(_value("repmon_blocklists_turn_late_seconds"), "latest turn, {{instance}}"),
            _prom(_value("repmon_blocklists_oldest_answer_seconds"), "oldest answer, {{instance}}", "B"),
        ],
        unit=DURATION,
    )
    polled = graph(
        "Mailbox providers that are polled: since the last full answer",
        [_prom(_age("repmon_poll_last_success_ms"), "{{source}}")],
        unit=DURATION,
    )
    webhooks = graph(
        "Webhooks, a second",
        [_prom(_rate("repmon_collect_requests_total", "format, outcome"), "{{format}}: {{outcome}}")],
    )
    acknowledged = graph(
        "A webhook is acknowledged within (99 of 100)",
        [
            _prom(
                "histogram_quantile(0.99, sum by (le) "
                f"(rate(repmon_collect_acknowledge_seconds_bucket{{{JOB}}}[$__rate_interval])))",
                "p99",
            )
        ],
        unit=DURATION,
    )
    panels = (scan, scanned, polled, webhooks, acknowledged)
    return Group("Blocklists, polling, webhooks", tuple(PlacedPanel(each, 12, 7) for each in panels))
