"""The command lines of repmon in what is shipped for deployment: compose, systemd, Kubernetes, the image."""

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.root import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
#: Those that run our image.
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
KUBERNETES = ROOT / "deploy" / "kubernetes"
#: Where the units look for the program.
INSTALLED = "/opt/repmon/bin/repmon"


def commands(service: dict[str, Any]) -> list[list[str]]:
    """The words after `repmon` of each command line of a service, which may run several in a shell."""
    given = service["command"]
    words = given if isinstance(given, list) else shlex.split(given)
    script = words[2] if words[:2] == ["sh", "-c"] else shlex.join(words)
    found = [shlex.split(line) for line in script.split("&&")]
    assert all(program == "repmon" for program, *_ in found)
    return [rest for _program, *rest in found]


def unit(file: Path) -> dict[str, dict[str, list[str]]]:
    """The sections of a unit; a key may stand there several times."""
    sections: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), {})
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            current.setdefault(key, []).append(value)
    return sections


def unit_commands() -> Iterator[list[str]]:
    """The words after the program of each command line in the units."""
    for file in UNITS:
        for line in unit(file)["Service"]["ExecStart"]:
            program, *words = shlex.split(line)
            assert program == INSTALLED
            yield words


def rendered(folder: Path) -> list[dict[str, Any]]:
    """What Kustomize makes of the base with all that is optional in it. Skips the test where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    base = folder / "kubernetes"
    shutil.copytree(KUBERNETES, base)
    file = base / "kustomization.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("  # - ", "  - "), encoding="utf-8")
    made = subprocess.run(["kubectl", "kustomize", str(base)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return list(yaml.safe_load_all(made.stdout))


def kubernetes_commands() -> Iterator[list[str]]:
    """The words after `repmon` of each command line of the base, as it is before it is rendered."""
    for file in sorted(KUBERNETES.glob("*.yaml")):
        for each in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            if each["kind"] in ("Deployment", "Job"):
                for container in each["spec"]["template"]["spec"]["containers"]:
                    if "command" in container:
                        yield from commands(container)
