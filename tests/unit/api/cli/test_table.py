"""The commands by the table: every one is there, is described in one way, and has an example that can be typed."""

import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from shutil import which
from subprocess import run

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from api.cli.completion import ASKED_BY
from api.cli.lazy import Command, CommandEntry, LazyGroup, Subgroup
from api.cli.main import app
from api.cli.table import SECTIONS
from schemas.version import VERSION
from tests.support.command_line import every_command, parsed
from tests.support.root import ROOT

EVERY = {" ".join(words): each for words, each in every_command()}
#: Commands that print one thing after another that somebody looks through; each has `--json`.
LISTS = [
    "top", "alerts", "listings", "listings show", "explain", "audit", "zones list", "zones test", "keys list",
    "config show", "customers list", "override list", "policy history", "policy try", "dead-letters list",
    "scan-blocklists", "incidents list", "incidents show", "holds list", "poll list",
    "suspend-hook list", "backup list",
]  # fmt: skip


def entries() -> dict[str, CommandEntry | Subgroup]:
    """The table, flat."""
    found: dict[str, CommandEntry | Subgroup] = {}
    for table in SECTIONS.values():
        for name, entry in table.items():
            found[name] = entry
            if isinstance(entry, Subgroup):
                found |= {f"{name} {below}": each for below, each in entry.commands.items()}
    return found


@pytest.mark.parametrize("name", EVERY)
def test_help_of_a_command_begins_with_its_line_in_the_list(name: str) -> None:
    command = EVERY[name]
    first = (command.help or "").partition("\n\n")[0]
    if name in (flat := entries()):
        assert first == f"{flat[name].line}."
    assert command.name == name.rsplit(maxsplit=1)[-1]
    assert len(first) <= 64, "one line of the list"


@pytest.mark.parametrize("name", EVERY)
def test_help_of_a_command_has_an_example_that_can_be_typed(name: str) -> None:
    command = EVERY[name]
    assert isinstance(command, (Command, LazyGroup))
    assert command.examples
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    for example in command.examples:
        assert f"  {example}\n" in shown.output
        context = parsed(typed(example))
        if not isinstance(command, LazyGroup):
            assert context.command.name == command.name


def typed(example: str) -> Sequence[str]:
    """The words after `repmon`, without what the shell takes for itself."""
    words = shlex.split(example.replace("source <(", "").removesuffix(")"))
    words = words[words.index("repmon") + 1 :]
    return words[: next((at for at, word in enumerate(words) if word in ("<", ">")), len(words))]


@pytest.mark.parametrize("name", LISTS)
def test_what_lists_something_lists_it_for_a_program_too(name: str) -> None:
    assert "--json" in {option for each in EVERY[name].params for option in each.opts}


def test_nothing_lists_without_being_named_here() -> None:
    named_so = {name for name in EVERY if name.split()[-1] in ("list", "history", "top", "audit", "alerts", "listings")}
    assert named_so <= set(LISTS)


def test_help_shows_every_command_under_who_uses_it() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    places = [shown.index(f"{title}:") for title in SECTIONS]
    assert places == sorted(places)
    assert [title.split(":")[0] for title in SECTIONS] == ["Operate", "Decide", "Ask", "Try"]
    for table in SECTIONS.values():
        for name in table:
            assert f"\n  {name} " in shown
    assert "source <(repmon completion bash)" in shown


def test_version_is_that_of_the_package() -> None:
    assert f'\nversion = "{VERSION}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["--version"]).output == f"repmon {VERSION}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_asks_as_repmon_answers(shell: str) -> None:
    script = CliRunner().invoke(app, ["completion", shell])
    assert script.exit_code == 0
    assert f"{ASKED_BY}={shell}_complete" in script.output
    assert len(script.output.splitlines()) > 10


@pytest.mark.skipif(which("bash") is None, reason="needs bash")
def test_completion_script_is_one_that_bash_takes() -> None:
    script = CliRunner().invoke(app, ["completion", "bash"]).output
    shown = run(["bash", "-c", f"{script}\ncomplete -p repmon"], capture_output=True, text=True, check=True)
    assert (shown.stdout.split()[-1], shown.stderr) == ("repmon", "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["a"], ["api", "alerts", "audit"]),
        (["policy", "a"], ["apply"]),
        (["alerts", "a"], ["ack"]),
        (["alerts", "--o"], ["--open"]),
        (["alerts", "--level", "w"], ["watch", "warning"]),
        (["normalize", "--format", "post"], ["postfix", "postmark", "postal"]),
    ],
)
def test_commands_options_and_values_are_completed(typed: list[str], offered: list[str]) -> None:
    *before, incomplete = typed
    found = ShellComplete(app, {}, "repmon", ASKED_BY).get_completions(before, incomplete)
    assert [each.value for each in found] == offered


def test_misspelt_command_is_refused_in_one_way() -> None:
    refused = CliRunner().invoke(app, ["alrets"])
    assert refused.exit_code == 2
    assert "No such command 'alrets'; did you mean `alerts`?" in refused.output
    unlike = CliRunner().invoke(app, ["qqqq"])
    assert unlike.exit_code == 2
    assert "No such command 'qqqq'." in unlike.output
    with pytest.raises(click.UsageError):
        parsed(["alerts", "--nosuch"])


def test_command_may_be_called_on_any_thread() -> None:
    """Its import keeps Ctrl-C from a traceback, which only the main thread can."""
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(CliRunner().invoke, app, ["zones", "list"]).result()
    assert told.exit_code == 0, told.exception
