"""What is logged, as lines: JSON outside a terminal, with what a record is about and never with a recipient."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.text.log_lines import HarmlessFormatter, JsonFormatter, formatter, without_mailboxes

LOCAL = st.text(
    st.characters(whitelist_categories=("L", "N"), whitelist_characters="!#$%&*+-/?^_`{|}~."), min_size=1, max_size=64
)
FAILED = "550 5.1.1 <{}@gone.example>: no such user"


def record(message: str, *args: object, **about: str) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "repmon.monitor", "levelno": logging.WARNING, "levelname": "WARNING"})
    made.msg, made.args, made.created, made.msecs = message, args, 1_700_000_000.25, 250.0
    made.__dict__.update(about)
    return made


def test_line_of_json_says_when_how_grave_where_and_about_whom() -> None:
    line = JsonFormatter("monitor").format(record("%s opened", "acme", customer="acme", alert="0f3c"))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "stage": "monitor",
        "logger": "repmon.monitor",
        "message": "acme opened",
        "customer": "acme",
        "alert": "0f3c",
    }


def test_line_of_json_about_nobody_has_no_such_fields() -> None:
    assert json.loads(JsonFormatter("ingest").format(record("behind"))).keys() == {
        *("time", "level", "stage", "logger", "message")
    }


def test_traceback_is_a_field_of_its_one_line() -> None:
    failed = record("failed")
    try:
        int("bad\x1b[2J")
    except ValueError:
        failed.exc_info = sys.exc_info()
    line = JsonFormatter("ingest").format(failed)
    assert line.isprintable()
    assert "invalid literal for int() with base 10: 'bad\\x1b[2J'" in json.loads(line)["error"]


@given(LOCAL)
def test_no_recipient_is_logged_in_any_form(local: str) -> None:
    for each in (HarmlessFormatter("%(message)s"), JsonFormatter("ingest")):
        said = each.format(record("a report: %s", FAILED.format(local)))
        assert "<***@gone.example>: no such user" in said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('to="a b"@gone.example, x', "to=***@gone.example, x"),
        ("user@[192.0.2.1]", "***@[192.0.2.1]"),
        ("policy default@53f752ba7b3b", "policy default@53f752ba7b3b"),
        ("root@localhost: refused", "***@localhost: refused"),
        ("an @ alone, and 5 @ 3", "an @ alone, and 5 @ 3"),
    ],
)
def test_what_is_before_an_at_sign_of_an_address_is_hidden(text: str, shown: str) -> None:
    assert without_mailboxes(text) == shown


@pytest.mark.parametrize(
    ("form", "terminal", "kind"),
    [
        ("auto", True, HarmlessFormatter),
        ("auto", False, JsonFormatter),
        ("text", False, HarmlessFormatter),
        ("json", True, JsonFormatter),
    ],
)
def test_setting_and_terminal_say_which_it_is(form: str, terminal: bool, kind: type[logging.Formatter]) -> None:
    assert type(formatter(form, "up", terminal=terminal)) is kind


def test_process_whose_errors_go_to_a_file_logs_json_with_its_command_as_stage(tmp_path: Path) -> None:
    code = (
        "import logging, click\n"
        "from api.cli import options\n"
        "from schemas.watch_settings import LogSettings\n"
        "with click.Context(click.Command('x'), info_name='repmon').scope() as top:\n"
        "    with click.Context(click.Command('ingest'), info_name='ingest', parent=top).scope():\n"
        "        options.log_to_stderr(LogSettings(level='info'), options._stage(), verbose=False)\n"
        "        logging.getLogger('repmon.ingest').info('taken up')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    found = json.loads(done.stderr)
    assert (found["level"], found["stage"], found["message"]) == ("info", "ingest", "taken up")
