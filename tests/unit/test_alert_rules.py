"""The Prometheus rules speak of metrics that there are."""

import re
from pathlib import Path

import yaml

from streams.ingest_metrics import Metrics
from streams.metric import readings

RULES = Path(__file__).parent.parent.parent / "deploy" / "prometheus" / "alerts.yml"


def test_rules_use_metrics_that_exist() -> None:
    known = {
        f"repmon_ingest_{each.name}" + ("_total" if each.kind == "counter" and not each.name.endswith("_total") else "")
        for each in readings(Metrics())
    }
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    used = {name for group in groups for rule in group["rules"] for name in re.findall(r"repmon_\w+", rule["expr"])}
    assert used
    assert used <= known
