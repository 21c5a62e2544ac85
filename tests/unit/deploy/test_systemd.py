"""The units for systemd: it reads them without a word, they confine the stages, what they run and set is known."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas import settings_file
from tests.support.command_line import parsed
from tests.support.deployed import INSTALLED, UNITS, unit, unit_commands
from tests.support.root import ROOT

FOLDER = ROOT / "deploy" / "systemd"
COMMON = FOLDER / "repmon-.service.d" / "common.conf"
#: What systemd calls "OK" ends at 4.9 of 10; a unit that confines nothing has 9.6.
MOST_EXPOSED = 15
NAMES = [file.name for file in UNITS]


def environment(file: Path) -> dict[str, str]:
    return dict(each.split("=", 1) for each in unit(file).get("Service", {}).get("Environment", []))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units in a folder, with a program that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path_factory.mktemp("systemd") / "units"
    shutil.copytree(FOLDER, folder)
    for file in folder.glob("*.service"):
        file.write_text(file.read_text().replace(INSTALLED, "/bin/true"))
    return folder


def analyzed(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", *words],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_to_say_of_them(installed: Path) -> None:
    found = analyzed(installed, "verify", *(str(installed / name) for name in [*NAMES, "repmon.target"]))
    assert (found.returncode, found.stderr) == (0, "")


def test_systemd_would_notice_a_misspelt_directive(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.service").write_text("[Service]\nExecStart=/bin/true\nProtectHoome=yes\n")
    assert "ProtectHoome" in analyzed(tmp_path, "verify", str(tmp_path / "wrong.service")).stderr


def test_stages_may_do_little(installed: Path) -> None:
    found = analyzed(
        installed,
        "security",
        "--offline=yes",
        f"--threshold={MOST_EXPOSED}",
        *(str(installed / name) for name in NAMES),
    )
    assert found.returncode == 0, found.stdout


def test_every_command_is_one_the_command_line_knows() -> None:
    for words in unit_commands():
        parsed(words)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_a_setting(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").touch()
    (tmp_path / "secret").write_text("0123456789abcdef")
    given = environment(COMMON) | environment(FOLDER / name)
    for key, text in given.items():
        assert key.startswith(settings_file.ENV_PREFIX)
        given[key] = str(tmp_path / "secret") if key.endswith("_FILE") else text
    settings_file.load_settings(tmp_path / "empty.toml", environ=given)


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_is_a_credential_that_is_loaded(name: str) -> None:
    both = [unit(file).get("Service", {}) for file in (COMMON, FOLDER / name)]
    loaded = {each.split(":")[0] for service in both for each in service.get("LoadCredential", [])}
    named = {
        found[1]
        for file in (COMMON, FOLDER / name)
        for text in environment(file).values()
        if (found := re.fullmatch(r"%d/(\w+)", text))
    }
    assert named == loaded


def test_no_two_stages_of_a_machine_have_one_port() -> None:
    ports = [port for name in NAMES if (port := environment(FOLDER / name).get("REPMON_METRICS__PORT"))]
    assert len(ports) == len(set(ports)) > 1
