"""docker-compose.yml and what it mounts, held against the project: commands, settings, packages, grants."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from compose_spec import PyCompose

from jobs.embedded.reader import READER, TABLES
from schemas import settings, settings_file
from tests.support.command_line import parsed
from tests.support.deployed import COMPOSE, OURS, SERVICES, commands
from tests.support.root import ROOT

ONE_SHOT = {"setup", "dashboards", "simulate"}
#: Their images do so when they start.
WRITE_THEIR_SETTINGS = {"kafka", "clickhouse", "grafana"}


def value(text: object) -> str:
    """As compose fills it in without an environment: `${NAME:-default}` is the default, `$$` a dollar. What must be set
    (`${NAME:?why}`) is."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef", str(text))
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text)).replace("$$", "$")


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
    for words in commands(OURS[name]):
        parsed(words)


def test_file_follows_the_compose_specification() -> None:
    read = PyCompose.from_json(json.dumps(without_digests(COMPOSE)))
    assert read.service_names() == [*SERVICES]


def test_check_against_the_specification_would_notice_a_misspelt_key() -> None:
    wrong = without_digests(COMPOSE)
    wrong["services"]["ingest"]["reed_only"] = True
    with pytest.raises(ValueError, match="reed_only"):
        PyCompose.from_json(json.dumps(wrong))


def without_digests(compose: dict[str, Any]) -> dict[str, Any]:
    """A copy in which images are named by version alone: compose-spec 0.2.1 takes no tag with a digest, which Docker
    does (Docker documentation, "docker image pull")."""
    copied: dict[str, Any] = json.loads(json.dumps(compose))
    for service in copied["services"].values():
        service["image"] = service["image"].split("@")[0]
    return copied


def test_images_of_others_are_named_by_version_and_digest() -> None:
    for name in SERVICES.keys() - OURS.keys():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.[\d.]+@sha256:[0-9a-f]{64}", SERVICES[name]["image"]), name


def test_no_password_has_a_default() -> None:
    secret = re.compile(r"PASSWORD|HASH_KEY")
    for name, service in SERVICES.items():
        for key, text in service.get("environment", {}).items():
            if secret.search(key):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", text), (name, key)


def test_every_service_is_confined() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert {name for name, service in SERVICES.items() if not service.get("read_only")} == WRITE_THEIR_SETTINGS
    assert {name for name, service in SERVICES.items() if "cap_add" in service} == {"clickhouse"}


def test_our_services_write_only_to_memory() -> None:
    for service in OURS.values():
        assert [each.split(":")[0] for each in service["tmpfs"]] == ["/tmp", "/var/lib/repmon"]  # noqa: S108 - in the container
        assert all(volume.endswith(":ro") for volume in service["volumes"])
        assert service["environment"]["REPMON_EMBEDDED__DATA"] == "/var/lib/repmon"


def test_every_service_that_goes_on_says_how_it_is() -> None:
    """Ours by the image's check, but for those that serve nothing (test_image.py)."""
    for name in SERVICES.keys() - OURS.keys():
        assert SERVICES[name]["healthcheck"]["test"], name


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
