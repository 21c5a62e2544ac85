"""`repmon classify`: a line in, a line out, whatever the line."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.cli.classify import classify_lines
from api.cli.main import app
from schemas import providers
from schemas.event import MAX_EVENT_BYTES
from streams.bounces.classify import load_bounce_classifier
from tests.support.root import ROOT

RULES, KNOWN = load_bounce_classifier(), providers.load_providers()


def classified(raw: bytes) -> tuple[bool, list[dict[str, Any]], list[str]]:
    """(all read, the answers, the problems)"""
    out, problems = io.BytesIO(), io.StringIO()
    all_read = classify_lines(io.BytesIO(raw), out, problems, RULES, KNOWN)
    return all_read, [json.loads(line) for line in out.getvalue().splitlines()], problems.getvalue().splitlines()


def answer(**fields: Any) -> dict[str, Any]:
    all_read, (found,), problems = classified(json.dumps(fields).encode())
    assert (all_read, problems) == (True, [])
    return found


def test_answer_has_class_kind_and_rule() -> None:
    found = answer(
        smtp_code=550, enhanced_status="5.1.1", diagnostic="550 5.1.1 User unknown", mx_host="mx.lake.example"
    )
    assert found == {"class": "invalid_recipient", "kind": "hard", "rule": "unknown-recipient"}


def test_mx_host_brings_rules_of_its_provider() -> None:
    unknown = {"smtp_code": 550, "diagnostic": "550 Unknown user hanako@docomo.ne.jp"}
    assert answer(**unknown)["kind"] == "hard"
    assert answer(**unknown, mx_host="MFSMAX.docomo.ne.jp.")["kind"] == "soft"


@pytest.mark.parametrize(
    "fields",
    [
        {"smtp_code": 550},
        {"smtp_code": "550"},
        {"smtp_code": 550, "enhanced_status": None, "diagnostic": None, "mx_host": None},
        {"smtp_code": 550, "enhanced_status": "", "diagnostic": "", "mx_host": "", "more": [1]},
        {"diagnostic": "550 nothing else"},
    ],
)
def test_what_is_not_known_may_be_missing(fields: dict[str, Any]) -> None:
    assert answer(**fields)["rule"] == "code-550"


def test_nothing_known_is_other() -> None:
    assert answer() == {"class": "other", "kind": "soft", "rule": "none"}
    assert answer(smtp_code="") == answer(smtp_code=None) == answer(smtp_code=0) == answer()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"user unknown", "the message is not JSON"),
        (b"", "the line is empty"),
        (b"  ", "the line is empty"),
        (b"[]", "expected `object`, got `array`"),
        (b'{"smtp_code": 5.5}', "field `smtp_code`"),
        (b'{"smtp_code": "5x0"}', "field `smtp_code`: '5x0' is not a reply code of three digits"),
        (b'{"smtp_code": -1}', "field `smtp_code`: '-1' is not a reply code"),
        (b'{"smtp_code": 1000}', "field `smtp_code`: '1000' is not a reply code"),
        (b'{"diagnostic": 5}', "field `diagnostic`: expected `str | null`, got `int`"),
        (b'{"diagnostic": "\xff"}', "UTF-8"),
        (b'{"more": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"diagnostic": "' + b"a" * MAX_EVENT_BYTES + b'"}', "the line is longer than 1,000,000 bytes"),
    ],
)
def test_bad_line_is_named_and_the_others_are_answered_in_their_places(line: bytes, complaint: str) -> None:
    good = b'{"smtp_code": 550}'
    all_read, answers, problems = classified(b"\n".join([good, line, good, line, good, b""]))
    assert not all_read
    assert [list(each) for each in answers] == [["class", "kind", "rule"], ["error"]] * 2 + [["class", "kind", "rule"]]
    assert complaint in answers[1]["error"]
    assert problems == [f"line {number}: {answers[1]['error']}" for number in (2, 4)]


@given(st.lists(st.binary(max_size=40).map(lambda each: each.replace(b"\n", b" ")), max_size=8))
def test_there_are_as_many_answers_as_lines(lines: list[bytes]) -> None:
    all_read, answers, problems = classified(b"".join(line + b"\n" for line in lines))
    assert len(answers) == len(lines)
    assert len(problems) == sum("error" in each for each in answers)
    assert all_read == (not problems)


@pytest.mark.parametrize(("text", "code"), [('{"smtp_code": 550}\n', 0), ("", 0), ('{"smtp_code": 550}\nno\n', 1)])
def test_command_ends_with_1_where_a_line_could_not_be_read(text: str, code: int) -> None:
    assert CliRunner().invoke(app, ["classify"], input=text).exit_code == code


DOCS = ROOT / "docs"
PAGE = (DOCS / "bounce-classification.md").read_text(encoding="utf-8")


def test_example_of_the_page_is_answered_as_the_page_says() -> None:
    _, answers, problems = classified((DOCS / "examples" / "bounces.jsonl").read_bytes())
    shown = PAGE.partition("$ repmon classify < docs/examples/bounces.jsonl\n")[2].partition("```")[0]
    assert problems == []
    assert answers == [json.loads(line) for line in shown.splitlines()]


def test_own_rules_of_the_page_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "repmon.toml"
    own = tmp_path / "our-bounces.toml"
    shown = PAGE.partition("```toml\n# our-bounces.toml")[2].partition("\n")[2].partition("```")[0]
    own.write_text(shown, encoding="utf-8")
    file.write_text(f'[ingest]\nbounce_rules = "{own}"\n', encoding="utf-8")
    for fields, rule in (
        ({"enhanced_status": "4.7.1", "diagnostic": "Come back after tea, says Lagoon"}, "lagoon-tea-break"),
        ({"enhanced_status": "5.2.99"}, "status-x.2.99"),
        ({"smtp_code": 447}, "code-447"),
    ):
        done = CliRunner().invoke(app, ["--config", str(file), "classify"], input=json.dumps(fields))
        assert json.loads(done.stdout)["rule"] == rule
