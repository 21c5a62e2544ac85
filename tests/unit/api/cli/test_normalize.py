"""`repmon normalize`: what it prints, what it says of problems, how it ends."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.cli import main as cli
from api.cli.normalize import normalize
from schemas.event import MAX_EVENT_BYTES
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions
from streams.adapt.canonical import hash_recipient
from tests.support.mails import ORIGINAL, report
from tests.support.root import ROOT

KEY = b"a key"
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/json/mail.events.schema.json").read_text(encoding="utf-8")))
DELIVERED = {
    "event": "delivered",
    "timestamp": 1740993072,
    "email": "iris@gmail.com",
    "customer": "acme",
    "sg_event_id": "e1",
}
KUMOMTA = {
    "type": "Delivery",
    "id": "k",
    "queue": "w:acme@gmail.com",
    "recipient": "i@gmail.com",
    "timestamp": 1740993072,
}


def run(raw: bytes, format_name: str, customer: str = "") -> tuple[bool, list[dict[str, Any]], list[str]]:
    """(something could be read, the printed events, the lines on standard error)"""
    out, problems = io.BytesIO(), io.StringIO()
    context = Context(KEY, load_providers(), {format_name: FormatOptions(default_customer=customer)})
    good = normalize(io.BytesIO(raw), out, problems, format_name, context)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    for event in events:
        SCHEMA.validate(event)
    return good, events, problems.getvalue().splitlines()


def test_events_are_printed_as_they_are_stored_with_the_address_hashed() -> None:
    good, events, problems = run(json.dumps([DELIVERED]).encode(), "sendgrid")
    assert (good, problems) == (True, [])
    assert events == [
        {
            "id": "e1", "type": "delivered", "time": 1740993072000, "customer": "acme", "recipient_domain": "gmail.com",
            "recipient_hash": hash_recipient("iris@gmail.com", KEY), "provider": "gmail",
        }
    ]  # fmt: skip


def test_mail_gives_an_event_for_each_recipient() -> None:
    named = "Feedback-Type: abuse\nOriginal-Rcpt-To: iris@gmail.com\nOriginal-Rcpt-To: juno@yahoo.com\n"
    _, events, _ = run(report("feedback-report", named), "arf")
    assert [event["recipient_domain"] for event in events] == ["gmail.com", "yahoo.com"]


def test_customer_is_who_records_belong_to_that_name_nobody() -> None:
    record = {key: value for key, value in DELIVERED.items() if key != "customer"}
    assert run(json.dumps(record).encode(), "sendgrid", "house")[1][0]["customer"] == "house"
    assert run(json.dumps(DELIVERED).encode(), "sendgrid", "house")[1][0]["customer"] == "acme"


def test_opens_and_clicks_are_skipped_without_a_problem() -> None:
    opened = [DELIVERED | {"event": "open"}, DELIVERED | {"event": "click"}]
    assert run(json.dumps(opened).encode(), "sendgrid") == (True, [], [])
    _, events, problems = run(json.dumps([*opened, DELIVERED]).encode(), "sendgrid")
    assert (len(events), problems) == (1, [])


def test_log_is_read_line_by_line_and_a_bad_line_costs_only_itself() -> None:
    lines = [json.dumps(KUMOMTA), "oops", json.dumps(KUMOMTA | {"id": "k2"})]
    good, events, problems = run("\n".join(lines).encode(), "kumomta")
    assert (good, len(events)) == (True, 2)
    assert len(problems) == 1
    assert problems[0].startswith("line 2: the message is not JSON")


def test_one_record_may_stand_on_several_lines() -> None:
    assert len(run(json.dumps(KUMOMTA, indent=2).encode(), "kumomta")[1]) == 1


def test_bad_record_of_an_array_costs_only_itself() -> None:
    good, events, problems = run(json.dumps([DELIVERED, {}, DELIVERED], indent=1).encode(), "sendgrid")
    assert (good, len(events)) == (True, 2)
    assert problems == ["line 1, record 2: field `event` is missing"]


@pytest.mark.parametrize(
    ("raw", "format_name", "problem"),
    [
        (b"", "sendgrid", "standard input is empty"),
        (b"\n\n", "postfix", "standard input is empty"),
        (b'[{"event":\n1},\n{}]', "sendgrid", "record 2: field `event` is missing"),
        (b'\xef\xbb\xbf[{"event":"open"},\n{}]', "sendgrid", "record 2: field `event` is missing"),
        (b"{\n\n\n", "sendgrid", "the message is not JSON: input data was truncated"),
        (b"From: a@b.example\n\nhello\nyou\n", "dsn", "the mail has no part of type message/delivery-status"),
        (b"x: y\n" + b"z" * MAX_EVENT_BYTES * 3, "arf", "line 1: the mail has 1,000,000 bytes of header fields"),
        (json.dumps(KUMOMTA | {"queue": ""}).encode(), "kumomta", "line 1: record Delivery k: no tenant in queue ``"),
    ],
)
def test_what_cannot_be_read_is_one_line(raw: bytes, format_name: str, problem: str) -> None:
    good, events, problems = run(raw, format_name)
    assert (good, events, len(problems)) == (False, [], 1)
    assert problems[0].startswith(problem)


def test_log_of_another_format_is_not_answered_line_by_line_for_ever() -> None:
    good, _, problems = run(b"oops\n" * 1_000, "kumomta")
    assert not good
    assert len(problems) == 1
    assert problems[0].startswith("1,000 records, the first at line 1: the message is not JSON")


def test_log_without_a_line_of_its_program_is_a_problem() -> None:
    lines = b"Mar  3 10:11:12 mx1 sshd[5]: Connection closed\n<22>1 2025-03-03T10:11:12Z mx1 cron 7 - - (root) CMD\n"
    context = Context(KEY, load_providers(), clock=lambda: 1741000000000)
    problems = io.StringIO()
    assert not normalize(io.BytesIO(lines), io.BytesIO(), problems, "postfix", context)
    assert problems.getvalue() == "no line is one of Postfix; they are of sshd, cron\n"


def test_log_without_a_line_of_exim_is_a_problem_too() -> None:
    lines = b"Mar  3 10:11:12 mx1 sshd[5]: Connection closed\n"
    context = Context(KEY, load_providers(), clock=lambda: 1741000000000)
    problems = io.StringIO()
    assert not normalize(io.BytesIO(lines), io.BytesIO(), problems, "exim", context)
    assert problems.getvalue() == "no line is one of Exim; they are of sshd\n"
    for own in (b"2025-03-03 10:11:12 Start queue run: pid=7\n", b"Mar  3 10:11:12 mx1 exim[5]: Start queue run\n"):
        assert normalize(io.BytesIO(lines + own), io.BytesIO(), problems, "exim", context)


@pytest.mark.parametrize(
    "tag", ["postfix/smtpd[7]: connect from a[192.0.2.1]", "mailout/anvil[8]: statistics: x", "postfix[9]: x"]
)
def test_log_of_connections_alone_is_none(tag: str) -> None:
    line = f"Mar  3 10:11:12 mx1 sshd[5]: x\nMar  3 10:11:12 mx1 {tag}\n"
    context = Context(KEY, load_providers(), clock=lambda: 1741000000000)
    assert normalize(io.BytesIO(line.encode()), io.BytesIO(), io.StringIO(), "postfix", context)


def test_problem_cannot_steer_a_terminal() -> None:
    _, _, problems = run(json.dumps(KUMOMTA | {"queue": "\x1b[2J\u202e"}).encode(), "kumomta")
    assert "no tenant in queue" in problems[0]
    assert problems[0].isprintable()


# --- the command ---


class _Standard:
    """Standard input of given bytes."""

    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, raw: bytes, *words: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["repmon", "normalize", *words])
    monkeypatch.setattr(sys, "stdin", _Standard(raw))
    return cli.run()


MAIL = report("feedback-report", "Feedback-Type: abuse\n")


@pytest.mark.parametrize(
    ("raw", "words", "code"),
    [
        (MAIL, ("--format", "arf"), 0),
        (MAIL, ("--format", "arf", "--customer", "acme"), 0),
        (b'{"event": "open"}', ("--format", "sendgrid"), 0),
        (MAIL, ("--format", "dsn"), 1),
        (MAIL, ("--format", "mbox"), 2),
        (MAIL, ("--format",), 2),
        (MAIL, (), 2),
        (MAIL, ("--format", "arf", "--no-such-option"), 2),
    ],
)
def test_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raw: bytes, words: tuple[str, ...], code: int
) -> None:
    assert command(monkeypatch, tmp_path, raw, *words) == code


def test_mapping_of_the_settings_is_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "repmon.toml").write_text('[ingest.mapping.arf]\ncustomer = "header.X-Customer"\n', encoding="utf-8")
    assert "X-Customer: acme" in ORIGINAL
    assert command(monkeypatch, tmp_path, MAIL, "--format", "arf") == 0
    assert json.loads(capfdbinary.readouterr().out)["customer"] == "acme"


def test_time_zone_that_is_none_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "repmon.toml").write_text('[ingest.mapping.postfix]\ntime_zone = "Mars"\n', encoding="utf-8")
    assert command(monkeypatch, tmp_path, b"x", "--format", "postfix") == 2
    assert "ingest.mapping.postfix.time_zone: there is no time zone 'Mars'" in capfd.readouterr().err


def test_example_of_a_feedback_report_is_a_complaint_about_its_customer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    raw = (ROOT / "docs/examples/complaint.eml").read_bytes()
    mapping = re.search(r"\[ingest\.mapping\.arf\][^`]*", (ROOT / "docs/formats.md").read_text(encoding="utf-8"))
    assert mapping
    (tmp_path / "repmon.toml").write_text(mapping[0], encoding="utf-8")
    assert command(monkeypatch, tmp_path, raw, "--format", "arf") == 0
    event = json.loads(capfdbinary.readouterr().out)
    assert (event["type"], event["customer"], event["provider"]) == ("complained", "brightleaf", "yahoo")
