"""The image: what is in it, and how it says that it is well."""

import json
import re
from typing import Any

import yaml

from schemas import settings_file
from tests.support.command_line import parsed
from tests.support.root import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
#: Instruction and words, of each stage of the build.
BASE, BUILD, IMAGE = (
    [(line.split()[0], line.partition(" ")[2].strip()) for line in stage.splitlines() if line and line[0] != "#"]
    for stage in TEXT.split("\nFROM ", 3)[1:]
)
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
#: They end, or serve nothing.
WITHOUT_HEALTH = {"setup", "dashboards", "simulate", "suspend-hook"}


def words(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in stage if name == instruction]


def test_only_what_runs_repmon_is_installed() -> None:
    assert "requirements-dev" not in TEXT
    copied = {name for line in words(BUILD, "COPY") for name in line.split() if name.startswith("requirements")}
    assert copied == {"requirements.txt", "requirements-server.txt", "requirements-build.txt"}
    assert words(BUILD, "ARG") == ["LOCK=requirements-server.txt"]
    into_image = [
        line for line in re.split(r"&&", " && ".join(words(BUILD, "RUN"))) if "/opt/repmon/bin/python install" in line
    ]
    assert [line.split()[-1] for line in into_image] == ["${LOCK}", "/wheel/*.whl"]
    assert "--without-pip /opt/repmon" in TEXT


def test_of_the_build_only_that_environment_is_taken() -> None:
    assert words(IMAGE, "COPY") == ["--from=build /opt/repmon /opt/repmon"]
    assert not any("pip" in line for line in words(IMAGE, "RUN"))


def test_what_it_is_built_on_is_named_by_version_and_digest() -> None:
    ((name, as_),) = BASE
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", name)
    assert as_ == "AS base"


def test_it_does_not_run_as_root() -> None:
    assert words(IMAGE, "USER") == ["repmon"]


def test_health_is_asked_with_a_command_that_there_is() -> None:
    (check,) = words(IMAGE, "HEALTHCHECK")
    program, *rest = json.loads(check.partition("CMD ")[2])
    assert program == "repmon"
    assert parsed(rest).info_name == "health"


def test_its_variables_are_settings_and_let_each_stage_say_how_it_is() -> None:
    given: dict[str, str] = {}
    for line in words(IMAGE, "ENV"):
        given |= dict(each.split("=", 1) for each in line.split() if each.startswith(settings_file.ENV_PREFIX))
    assert settings_file.load_settings(environ=given).metrics.port > 0


def test_services_that_go_on_have_the_images_check_and_the_others_none() -> None:
    ours = {name: service for name, service in SERVICES.items() if "build" in service}
    assert {name for name, each in ours.items() if each.get("healthcheck") == {"disable": True}} == WITHOUT_HEALTH
    assert all("healthcheck" not in each for name, each in ours.items() if name not in WITHOUT_HEALTH)
