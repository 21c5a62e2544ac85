"""What commands import: each what it runs, and those that are asked for at a prompt little more than click."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.policy import default_file

#: Engines, frameworks and drawings: each takes from a twentieth of a second to half of one.
HEAVY = {
    "aiodns", "chdb", "clickhouse_connect", "confluent_kafka", "cramjam", "cryptography", "dashboards", "fastapi",
    "faust", "grafana_api", "httpx", "numpy", "pandas", "prometheus_client", "publicsuffixlist", "pyarrow", "pydantic",
    "pydnsbl", "rich", "starlette", "uvicorn", "xxhash", "yaml",
}  # fmt: skip
OURS = {"api", "dashboards", "jobs", "schemas", "streams"}
#: Prints which modules a command left behind, after the line with its exit code.
IMPORTED = """
import json, sys
sys.argv = ["repmon", *sys.argv[1:]]
from api.cli.main import run
code = run()
print("\\n" + json.dumps([code, sorted(sys.modules)]))
"""
#: Nothing answers there, so that a command ends once it has imported what it runs.
NOWHERE = """
[clickhouse]
url = "http://127.0.0.1:1"
[kafka]
bootstrap = "127.0.0.1:1"
"""


def imported(folder: Path, *words: str, code: int = 0) -> set[str]:
    """Every module that `repmon words` has imported when it ends."""
    (folder / "repmon.toml").write_text(NOWHERE)
    command = [sys.executable, "-c", IMPORTED, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, input="")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found[0] == code, done.stderr
    return set(found[1])


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("policy", "--help"), ("keys", "--help")])
def test_help_and_version_import_no_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = imported(tmp_path, *words)
    assert {name for name in found if name.partition(".")[0] in OURS} <= {
        "api", "api.cli", "api.cli.lazy", "api.cli.leaving", "api.cli.main", "api.cli.options", "api.cli.printing",
        "api.cli.table", "api.text", "api.text.harmless", "schemas", "schemas.errors", "schemas.version",
    }  # fmt: skip
    assert not packages(found) & {*HEAVY, "msgspec", "asyncio", "logging"}


def test_policy_check_imports_the_policy_alone(tmp_path: Path) -> None:
    found = imported(tmp_path, "policy", "check", str(default_file()))
    assert not packages(found) & {*HEAVY, "streams", "jobs", "asyncio", "logging", "idna"}
    assert not found & {"_hashlib", "difflib", "schemas.alert", "schemas.providers", "schemas.settings"}


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (("alerts",), {"clickhouse_connect", "yaml"}),
        (("top", "--once"), {"clickhouse_connect", "yaml", "numpy", "rich"}),
        (("customers", "list"), {"clickhouse_connect", "yaml", "xxhash"}),
        (("config", "show"), {"yaml"}),
        (("classify",), {"yaml"}),
        (("normalize", "--format", "arf"), {"yaml"}),
    ],
)
def test_commands_at_a_prompt_import_what_they_run(tmp_path: Path, words: tuple[str, ...], needed: set[str]) -> None:
    asks_the_store = "clickhouse_connect" in needed
    found = imported(tmp_path, *words, code=2 if asks_the_store else 1 if words[0] == "normalize" else 0)
    assert packages(found) & HEAVY <= needed


def test_a_command_that_runs_a_stage_imports_it(tmp_path: Path) -> None:
    """What is looked for above is found where it is imported."""
    assert {"faust", "pyarrow", "confluent_kafka"} <= packages(imported(tmp_path, "monitor", "--help"))
    assert {"fastapi", "clickhouse_connect"} <= packages(imported(tmp_path, "api", "--help"))


@pytest.mark.parametrize("word", ["up", "demo"])
def test_what_runs_all_stages_says_so_before_it_imports_them(tmp_path: Path, word: str) -> None:
    assert not packages(imported(tmp_path, word, "--help")) & (HEAVY - {"numpy", "yaml", "xxhash"})
