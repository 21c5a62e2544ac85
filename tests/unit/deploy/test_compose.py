"""docker-compose.yml and what it mounts, held against the project: commands, settings, packages, grants."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from jobs.embedded.reader import READER, TABLES
from schemas import settings, settings_file
from tests.support.command_line import parsed
from tests.support.root import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {"setup", "dashboards", "simulate"}


def value(text: object) -> str:
    """As compose fills it in without an environment: `${NAME:-default}` is the default, `$$` a dollar. What must be set
    (`${NAME:?why}`) is."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef", str(text))
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text)).replace("$$", "$")


def commands(service: dict[str, Any]) -> Iterator[list[str]]:
    """Each command line that begins with `repmon`; a service may run several in a shell."""
    words = shlex.split(service["command"])
    script = words[2] if words[:2] == ["sh", "-c"] else service["command"]
    for line in script.split("&&"):
        yield shlex.split(line)


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: value(text) for name, text in service.get("environment", {}).items()}


@pytest.fixture
def no_file(tmp_path: Path) -> Path:
    """A settings file that sets nothing, so that no other is read."""
    file = tmp_path / "empty.toml"
    file.touch()
    return file


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_the_command_line_knows(name: str) -> None:
    for program, *words in commands(OURS[name]):
        assert program == "repmon"
        parsed(words)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_reaches_it(name: str, no_file: Path) -> None:
    given = {key: text for key, text in environment(OURS[name]).items() if key.startswith(settings_file.ENV_PREFIX)}
    assert given
    loaded = settings_file.load_settings(no_file, environ=given)
    for key, text in given.items():
        section, field = key.removeprefix(settings_file.ENV_PREFIX).lower().split("__")
        reached = getattr(getattr(loaded, section), field)
        assert str(reached) == text


def test_check_of_variables_would_notice_a_misspelt_one(no_file: Path) -> None:
    with pytest.raises(settings.SettingsError, match="REPMON_KAFKA__BOTSTRAP"):
        settings_file.load_settings(no_file, environ={"REPMON_KAFKA__BOTSTRAP": "kafka:9092"})


def test_stages_start_only_after_setup_is_done() -> None:
    for name in OURS.keys() - {"setup"}:
        assert OURS[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}, name
    assert OURS["setup"]["depends_on"].keys() == {"kafka", "clickhouse"}


def test_service_that_is_waited_for_as_healthy_has_a_health_check() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed]


def test_only_jobs_that_end_are_not_started_again() -> None:
    assert {name for name, service in SERVICES.items() if service["restart"] == "no"} == ONE_SHOT


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_service_has_a_memory_limit() -> None:
    assert all("mem_limit" in service for service in SERVICES.values())


def test_named_volumes_and_mounted_files_are_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
            else:
                assert source in COMPOSE["volumes"]


def test_passwords_of_both_sides_agree() -> None:
    store, grafana, deploy = (environment(SERVICES[name]) for name in ("clickhouse", "grafana", "dashboards"))
    ingest = environment(SERVICES["ingest"])
    assert ingest["REPMON_CLICKHOUSE__USER"] == store["CLICKHOUSE_USER"]
    assert ingest["REPMON_CLICKHOUSE__PASSWORD"] == store["CLICKHOUSE_PASSWORD"]
    assert deploy["REPMON_GRAFANA__CLICKHOUSE_PASSWORD"] == store["GRAFANA_CLICKHOUSE_PASSWORD"]
    assert deploy["REPMON_GRAFANA__USER"] == grafana["GF_SECURITY_ADMIN_USER"]
    assert deploy["REPMON_GRAFANA__PASSWORD"] == grafana["GF_SECURITY_ADMIN_PASSWORD"]


def test_grafanas_user_may_read_what_the_embedded_stores_reader_may() -> None:
    users = ElementTree.parse(ROOT / "deploy/clickhouse/grafana.xml").getroot().find("users")  # noqa: S314
    assert users is not None
    (user,) = users
    assert user.tag == environment(SERVICES["dashboards"])["REPMON_GRAFANA__CLICKHOUSE_USER"] == READER
    database = settings.ClickHouse().database
    granted = [query.text for query in user.iterfind("grants/query")]
    assert granted == [f"GRANT SELECT ON {database}.{table}" for table in sorted(TABLES)]


def test_image_installs_every_package_of_the_project() -> None:
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    tops = {pattern.rstrip("*") for pattern in include}
    folders = {file.parent for top in tops for file in (ROOT / top).rglob("*.py")}
    assert {str(each) for each in folders if not (each / "__init__.py").exists()} == set()
    packages = {".".join(each.relative_to(ROOT).parts) for each in folders}
    assert {name for name in packages if not any(fnmatch(name, pattern) for pattern in include)} == set()
    sent = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert tops <= sent
