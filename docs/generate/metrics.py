"""docs/metrics.md, from the modules that define metrics: names and kinds as Prometheus sees them."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from api.collect.numbers import CollectorMetrics, RequestOutcome
from api.http.health import PartsMetrics
from api.http.metrics import registry
from jobs.blocklists.metrics import ScanMetrics
from jobs.notify.metrics import NotifyMetrics
from jobs.poll.metrics import PollMetrics
from jobs.poll.reading import Source
from streams.intake.metrics import IngestMetrics
from streams.io.health import PARTS, HealthVerdict
from streams.monitor.totals import JudgingTotals

HEAD = """# Metrics

Every metric, from the code that counts (`make docs`). `/metrics` answers in Prometheus' format:

| who | where |
|---|---|
| `up`, `api` | the HTTP interface, `api.port`; with `api.metrics_port` a port of its own |
| `collect` | its own interface, `collect.port` |
| `ingest`, `monitor`, `scan-blocklists`, `notify`, `poll` with `--every` | `metrics.port`, where it is set |

`/healthz` is there too: 200, or 503 with the parts that fail ([health.md](health.md)). Rules for what operators must
know: [deploy/prometheus/alerts.yml](../deploy/prometheus/alerts.yml). They ask for the scrape job `repmon`.
"""
#: The stages whose numbers are dataclasses, by the name that their metrics have.
STAGES: dict[str, Callable[[], object]] = {
    "ingest": IngestMetrics,
    "monitor": JudgingTotals,
    "blocklists": ScanMetrics,
    "poll": lambda: PollMetrics("postmaster"),
    "notify": NotifyMetrics,
}
TITLES = {
    "health": "What a stage needs (all of them; `collect` has `repmon_health_failing` alone)",
    "ingest": "The intake (`ingest`, `up`)",
    "monitor": "The monitor (`monitor`, `up`)",
    "blocklists": "The blocklist scan (`scan-blocklists`)",
    "poll": "What mailbox providers report (`poll postmaster` and `poll snds`, with `--every`)",
    "notify": "Notifications (`notify`, and `up` where there are routes)",
    "collect": "The webhook collector (`collect`)",
}
UNITS = (("_seconds", "s"), ("_bytes", "bytes"), ("_ms", "ms"))


def page() -> str:
    """The page, Markdown."""
    return HEAD + "".join(_section(stage, each) for stage, each in registries())


def registries() -> Iterator[tuple[str, CollectorRegistry]]:
    """The metrics of each stage, none of which has counted anything."""
    yield "health", registry(partial(dict[str, Any], health=PartsMetrics()), lambda: HealthVerdict("STAGE"))
    for stage, numbers in STAGES.items():
        yield stage, registry(partial(dict[str, Any], [(stage, numbers())]))
    collector = CollectorMetrics()
    collector.requests.labels("FORMAT", "OUTCOME")
    collector.bytes.labels("FORMAT")
    yield "collect", collector.registry


def names(metrics: CollectorRegistry) -> set[str]:
    """As Prometheus stores them."""
    return {_name(each) for each in metrics.collect()}


def _section(stage: str, metrics: CollectorRegistry) -> str:
    rows = [f"| {_labelled(each)} | {each.type} | {_unit(each)} | {each.documentation} |" for each in metrics.collect()]
    text = f"\n## {TITLES[stage]}\n\n| metric | type | unit | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    if stage == "collect":
        outcomes = ", ".join(f"`{each}`" for each in get_args(RequestOutcome))
        text += f"\n`outcome` is one of {outcomes}.\n"
    if stage == "poll":
        text += f"\n`source` is one of {', '.join(f'`{each}`' for each in get_args(Source))}.\n"
    if stage == "health":
        text += f"\n`part` is one of {', '.join(f'`{each}`' for each in PARTS)}.\n"
    return text


def _name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _labelled(metric: Metric) -> str:
    labels = sorted({label for sample in metric.samples for label in sample.labels} - {"le"})
    inside = f" by {', '.join(f'`{each}`' for each in labels)}" if labels else ""
    return f"`{_name(metric)}`{inside}"


def _unit(metric: Metric) -> str:
    name = re.sub(r"_total$", "", metric.name)
    return next((unit for ending, unit in UNITS if name.endswith(ending)), "")
