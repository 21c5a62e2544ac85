"""What Prometheus and Alertmanager of docker-compose.yml are told: their own tools read it, it fits the services."""

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from schemas.settings import Settings
from tests.support.alert_rules import rule_names
from tests.support.deployed import OURS, SERVICES, commands
from tests.support.root import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
#: Of our services, those that end and the one that serves nothing.
UNSEEN = {"setup", "dashboards", "simulate", "suspend-hook"}


@pytest.fixture(scope="module")
def scraped() -> dict[str, int]:
    """The port of each service that Prometheus scrapes."""
    (job,) = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
    assert job["job_name"] == "repmon"
    found = dict(target.split(":") for each in job["static_configs"] for target in each["targets"])
    found |= {name: each["port"] for each in job["dns_sd_configs"] for name in each["names"]}
    return {name: int(port) for name, port in found.items()}


def test_every_stage_is_scraped(scraped: dict[str, int]) -> None:
    assert scraped.keys() == OURS.keys() - UNSEEN


def test_stages_listen_where_they_are_scraped(scraped: dict[str, int]) -> None:
    for name, port in scraped.items():
        environment = OURS[name]["environment"]
        assert environment["REPMON_METRICS__HOST"] == "0.0.0.0"  # noqa: S104 - in the container
        own = Settings().collect.port if commands(OURS[name]) == [["collect"]] else 9102  # the image's (test_image.py)
        assert port == own


def test_those_that_always_run_are_missed_when_they_are_gone() -> None:
    (job,) = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
    named = {target.split(":")[0] for each in job["static_configs"] for target in each["targets"]}
    assert named == {name for name in OURS.keys() - UNSEEN if "profiles" not in OURS[name]}


def test_prometheus_reads_its_settings_and_the_rules_where_they_are_mounted() -> None:
    if (tool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([tool, "check", "config", "--syntax-only", str(PROMETHEUS)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    settings: dict[str, Any] = yaml.safe_load(PROMETHEUS.read_text())
    assert {*settings["rule_files"], "/etc/prometheus/prometheus.yml"} <= targets


def test_alertmanager_reads_its_settings() -> None:
    if (tool := shutil.which("amtool")) is None:
        pytest.skip("amtool is not installed")
    done = subprocess.run([tool, "check-config", str(ALERTMANAGER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_inhibited_is_by_rules_that_there_are() -> None:
    for each in yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]:
        (source,) = each["source_matchers"]
        assert source.split('"')[1] in rule_names()
