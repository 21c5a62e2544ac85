"""Printing: one way for everything, and nothing that goes through it steers a terminal."""

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli import printing
from api.text.harmless import harmless, harmless_json, harmless_lines
from tests.support.root import ROOT

#: Where text reaches standard output or error without `api.cli.printing`, and why that is safe.
ELSEWHERE = {
    "api/cli/printing.py": "it is the way",
    "api/cli/top.py": "the table is drawn on a terminal; names in it go through `harmless`",
    "api/stack/demo.py": "on a terminal the table is drawn in place; each line goes through `harmless`",
    "api/cli/leaving.py": "it flushes, and writes nothing",
    "api/cli/options.py": "log lines have a formatter",
    "api/cli/classify.py": "standard input and output are handed to `answer_lines`",
    "api/cli/judge.py": "standard input and output are handed to `answer_lines`",
    "api/cli/normalize.py": "lines are made harmless before they are written",
    "jobs/setup/current_tables.py": "it writes a generated file while repmon is developed",
    "jobs/setup/topics.py": "it writes schemas while repmon is developed",
}
#: Only where there may be something of it is a file parsed.
MAY_PRINT = re.compile(r"\b(print|echo|secho|print_json|stdout|stderr|__stdout__|__stderr__)\b")
EVERY_TEXT = st.text(st.characters())


def printing_calls(file: Path) -> Iterator[str]:
    """What in a module may print: `print`, `echo`, the methods of a rich console, standard output and error."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if MAY_PRINT.search(text) else ():
        match node:
            case ast.Call(func=ast.Name(id="print" | "echo" | "secho")):
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr="print" | "echo" | "secho" | "print_json")):
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
                yield ast.unparse(node)


def test_everything_is_printed_through_the_one_way() -> None:
    files = [
        file for room in ("api", "jobs", "streams", "schemas", "dashboards") for file in (ROOT / room).rglob("*.py")
    ]
    assert len(files) > 100
    found = {str(file.relative_to(ROOT)): list(printing_calls(file)) for file in files}
    assert {name for name, calls in found.items() if calls} == ELSEWHERE.keys()


@given(EVERY_TEXT)
def test_harmless_text_is_one_line_that_can_be_read(text: str) -> None:
    shown = harmless(text)
    assert len(shown.splitlines()) <= 1
    assert all(each.isprintable() or each == "\t" or each.isspace() for each in shown)
    assert harmless(shown) == shown
    if text.isprintable():
        assert shown == text


@given(st.recursive(EVERY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(EVERY_TEXT, inner), max_leaves=5))
def test_harmless_json_means_what_it_meant(value: object) -> None:
    shown = harmless_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    assert len(shown.splitlines()) <= 1
    assert not {"\x1b", "\x7f", "\x9b", "\u202e"} & set(shown)
    assert json.loads(shown) == value


def test_blanks_of_other_scripts_are_no_control_characters() -> None:
    assert harmless("株式会社\u3000メール\u00a0x\ty") == "株式会社\u3000メール\u00a0x\ty"


def test_lines_of_a_file_stay_lines() -> None:
    assert harmless_lines("a\x1b[2J\nb\r\n") == "a\\x1b[2J\nb\\r\n"


def test_what_is_printed_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "a\x1b[31m\nb\u202e"
    printing.print_line(nasty)
    printing.print_note(nasty)
    printing.print_fault(nasty)
    printing.print_json({nasty: nasty})
    out, err = capsys.readouterr()
    assert out == 'a\\x1b[31m\\nb\\u202e\n{"a\\u001b[31m\\nb\\u202e":"a\\u001b[31m\\nb\\u202e"}\n'
    assert err == "a\\x1b[31m\\nb\\u202e\n" * 2


class Terminal(io.TextIOWrapper):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(io.TextIOWrapper, b"\x1b[2J\xff\nb"), (Terminal, b"\\x1b[2J\\xff\nb")],
    ids=["pipe", "terminal"],
)
def test_bytes_are_exact_in_a_pipe_and_harmless_on_a_terminal(
    kind: type[io.TextIOWrapper], shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = io.BytesIO()
    monkeypatch.setattr("sys.stdout", kind(held))
    printing.print_exactly(b"\x1b[2J\xff\nb")
    assert held.getvalue() == shown


@pytest.mark.parametrize(("no_color", "red"), [("", "\x1b[31m"), ("1", "")])
def test_fault_is_red_on_a_terminal_that_wants_colors(no_color: str, red: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr("sys.stderr", Terminal(held))
    printing.print_fault("no \x1b")
    assert held.getvalue().decode() == f"{red}no \\x1b{chr(27) + '[0m' if red else ''}\n"
