"""The Prometheus rules speak of metrics that there are."""

import re
from typing import get_args

import yaml

from api.collect.numbers import RequestOutcome
from docs.generate.metrics import names, registries
from tests.support.root import ROOT

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"


def test_rules_use_metrics_that_exist() -> None:
    known = set().union(*(names(each) for _, each in registries()))
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    used = {name for group in groups for rule in group["rules"] for name in re.findall(r"repmon_\w+", rule["expr"])}
    assert used
    assert used <= known


def test_rules_ask_for_outcomes_of_webhooks_that_exist() -> None:
    asked = set(re.findall(r'outcome="(\w+)"', RULES.read_text(encoding="utf-8")))
    assert asked
    assert asked <= set(get_args(RequestOutcome))
