"""Prometheus' own promtool, asked which of the alerting rules fire for the numbers of stages."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.root import ROOT

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
#: A fault begins after so many minutes without, and lasts for so many.
BEFORE_MIN, FAULT_MIN = 60, 120
#: When the rules are asked, in ms of the time that promtool goes by.
ASKED_MS = (BEFORE_MIN + FAULT_MIN) * 60_000
GROWING = ("_total", "_bucket", "_count", "_sum")
FIRING = 'group by (alertname) (ALERTS{alertstate="firing"})'

#: A number by its series.
Samples = dict[str, float]


@dataclass(frozen=True)
class Case:
    """Numbers before a fault and at its end. Counters, and what is `gradual`, grow from one to the other; gauges are
    what they are at the end from its begin on."""

    before: Samples
    after: Samples
    fires: frozenset[str] = frozenset()
    gradual: frozenset[str] = frozenset()


def samples(metrics: Iterable[Metric]) -> Samples:
    """The numbers of a registry."""
    return {
        each.name + "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(each.labels.items())) + "}":
        each.value
        for family in metrics
        for each in family.samples
        if not each.name.endswith("_created")
    }  # fmt: skip


def of_registry(registry: CollectorRegistry) -> Samples:
    """The numbers that a registry has now."""
    return samples(registry.collect())


def of_text(text: str) -> Samples:
    """The numbers that a stage answered at `/metrics`."""
    return samples(text_string_to_metric_families(text))


def rule_names() -> set[str]:
    """Every alert that there is."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def used_metrics() -> set[str]:
    """The metrics that the rules ask for."""
    return set(re.findall(r"repmon_\w+|\bup\b", "\n".join(re.findall("expr: (.*)", RULES.read_text(encoding="utf-8")))))


def check(cases: Mapping[str, Case], folder: Path) -> None:
    """Fail, with promtool's words, unless in each case exactly those rules fire that should."""
    file = folder / "cases.json"
    wanted = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [_test(*each) for each in cases.items()],
    }
    file.write_text(json.dumps(wanted), encoding="utf-8")
    command = [find_promtool(), "test", "rules", str(file)]
    # It looks for garbage less often than by default: a quarter of its processor time goes into that.
    environment = {**os.environ, "GOGC": "400"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def find_promtool() -> str:
    """The program. Skips the test where it is missing; fails it where `CI` is set."""
    path = shutil.which("promtool")
    if path is None:
        message = "promtool is not installed (it is in Debian's package prometheus)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def _test(name: str, case: Case) -> dict[str, object]:
    used = used_metrics()
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": series, "values": _values(series, case.before.get(series, 0.0), value, case.gradual)}
            for series, value in case.after.items()
            if series.partition("{")[0] in used
        ],
        "promql_expr_test": [
            {
                # The name of the case, so that a failure names it.
                "expr": f'label_replace({FIRING}, "case", "{name}", "", "")',
                "eval_time": f"{BEFORE_MIN + FAULT_MIN}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}",case="{name}"}}', "value": 1} for alert in sorted(case.fires)
                ],
            }
        ],
    }


def _values(series: str, before: float, after: float, gradual: frozenset[str]) -> str:
    name = series.partition("{")[0]
    if name in gradual or name.endswith(GROWING):
        step = (after - before) / FAULT_MIN
        return f"{_constant(before, BEFORE_MIN)} {before:.6f}+{step:.6f}x{FAULT_MIN}".replace("+-", "-")
    return f"{_constant(before, BEFORE_MIN)} {_constant(after, FAULT_MIN + 1)}"


def _constant(value: float, times: int) -> str:
    """The same number so many times; the notation has no repetition of what is no number."""
    return " ".join(["NaN"] * times) if isnan(value) else f"{value:.6f}x{times - 1}"
