"""The wheel, built from a clean checkout and installed where the source tree is not seen, runs `demo` and `up`."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.support.root import ROOT

INCLUDE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
PACKAGES = tuple(pattern.rstrip("*") for pattern in INCLUDE)
LEFT_OVER = shutil.ignore_patterns("__pycache__", "*.egg-info")
ANY_PORTS = {
    "REPMON_EMBEDDED__BROKER_PORT": "0",
    "REPMON_EMBEDDED__STORE_PORT": "0",
    "REPMON_API__PORT": "0",
}
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@dataclass(frozen=True)
class Installed:
    """The wheel and an environment that holds it, with the packages of the running one and without the source tree."""

    wheel: Path
    python: Path

    def run(self, folder: Path, *words: str) -> "subprocess.Popen[str]":
        """`repmon` in a folder, with nothing of the tests' own environment and settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPMON_", "PYTHON"))}
        environment = {**kept, **ANY_PORTS, "NO_COLOR": "1"}
        command = [str(self.python.with_name("repmon")), *words]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    checkout, environment = folder / "checkout", folder / "environment"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, checkout / name, ignore=LEFT_OVER)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    offline = ["--no-index", "--no-deps"]
    build = [*PIP, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(checkout)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    # No `.pth` of a folder named in a `.pth` is read, so what makes the source tree importable is not.
    where = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    (where / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*PIP, "--python", str(python), "install", *offline, "--no-compile", str(wheel)], check=True)
    yield Installed(wheel, python)
    shutil.rmtree(folder)


def test_wheel_holds_the_packages_and_their_data_and_nothing_else(installed: Installed) -> None:
    files = {
        str(file.relative_to(ROOT))
        for name in PACKAGES
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with ZipFile(installed.wheel) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files


def test_modules_are_those_of_the_wheel(installed: Installed, tmp_path: Path) -> None:
    show = f"import {', '.join(PACKAGES)}; print(*({', '.join(f'{name}.__file__' for name in PACKAGES)}))"
    answer = subprocess.run(
        [installed.python, "-c", show], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(answer) == len(PACKAGES)
    assert all(Path(file).is_relative_to(installed.python.parents[1]) for file in answer)


def test_demo_runs_in_an_empty_folder_and_leaves_it_empty(installed: Installed, tmp_path: Path) -> None:
    with installed.run(tmp_path, "demo", "--for", "5s") as demo:
        said, _ = demo.communicate(timeout=240)
        assert demo.returncode == 0
    assert re.search(r"[\d,]+ events taken in after \d+ s", said)
    assert list(tmp_path.iterdir()) == []


def test_up_runs_in_an_empty_folder_until_it_is_asked_to_stop(installed: Installed, tmp_path: Path) -> None:
    with installed.run(tmp_path, "up") as up:
        assert up.stdout is not None
        api = next((found[1] for line in up.stdout if (found := re.search(r"(http://\S+)/docs", line))), None)
        assert api, "it says where its interface is"
        assert httpx.get(f"{api}/healthz", timeout=30).status_code == 200
        up.send_signal(signal.SIGTERM)
        up.communicate(timeout=120)
        assert up.returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["data"]
