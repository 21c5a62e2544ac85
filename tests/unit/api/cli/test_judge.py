"""`repmon judge`: counts in, what the policy says of them out, line by line."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from api.cli.judge import judge_lines
from api.cli.main import app
from schemas.counts import SubjectCounts, WindowCounts
from schemas.policy import default_file, load_policy, parse
from schemas.times import DAY_MS
from streams.judge.certainty import bar_of, lower_bound, upper_bound
from streams.judge.verdict import judge

POLICY = parse(
    """
windows = ["5m", "1h", "24h", "30d"]

[[rules]]
name = "failure"
metric = "failure"
windows = ["1h", "24h"]
min_volume = { "1h" = 500, "24h" = 100 }
levels = { watch = 0.01, warning = 0.03, excessive = 0.05, critical = 0.2 }

[[rules]]
name = "failure_now"
metric = "failure"
windows = ["1h"]
min_volume = 50
levels = { critical = 0.5 }

[[rules]]
name = "at_yahoo"
metric = "failure"
windows = ["24h", "30d"]
providers = ["yahoo"]
levels = { critical = 0.001 }

[[rules]]
name = "listed"
metric = "critical_listing"
windows = ["1h"]
levels = { critical = 2 }

[[rules]]
name = "burn"
metric = "failure_burn"
windows = ["5m", "1h"]
allowance = 0.05
period = "30d"
min_volume = 100
levels = { warning = 14.4, excessive = 72 }

[[overrides]]
customer = "guest"
rule = "failure"
levels = { critical = 0.9 }
reason = "a trial"
until = 1970-01-02T00:00:00Z
""",
    "t",
)


def judged(raw: bytes, now_ms: int = 0) -> tuple[bool, list[dict[str, Any]], list[str]]:
    """(all judged, the answers, the problems)"""
    out, problems = io.BytesIO(), io.StringIO()
    whole = judge_lines(io.BytesIO(raw), out, problems, POLICY, now_ms)
    return whole, [json.loads(line) for line in out.getvalue().splitlines()], problems.getvalue().splitlines()


def line(n: int, d: int, metric: str = "failure", window: str = "24h", customer: str = "acme") -> bytes:
    given = {"customer": customer, "metric": metric, "window": window, "numerator": n, "denominator": d}
    return json.dumps(given).encode() + b"\n"


def level(raw: bytes, now_ms: int = 0) -> str:
    whole, (found,), _ = judged(raw, now_ms)
    assert whole
    return str(found["level"])


@pytest.mark.parametrize(
    ("n", "d", "said"),
    [
        (0, 0, "insufficient_volume"),
        (99, 99, "insufficient_volume"),
        (0, 100, "good"),
        (10, 1000, "good"),
        (23, 1000, "watch"),
        (51, 1000, "warning"),
        (77, 1000, "excessive"),
        (250, 1000, "critical"),
        (2000, 1000, "critical"),
    ],
)
def test_level_is_that_of_the_lower_bound(n: int, d: int, said: str) -> None:
    assert level(line(n, d)) == said


def test_answer_repeats_whose_it_is_and_has_rate_and_interval() -> None:
    whole, (found,), problems = judged(line(50, 1000))
    assert (whole, problems) == (True, [])
    assert list(found) == ["customer", "metric", "window", "rate", "lower", "upper", "level"]
    assert [found[name] for name in ("customer", "metric", "window", "rate")] == ["acme", "failure", "24h", 0.05]
    bar = bar_of("24h", 0.92)
    assert (found["lower"], found["upper"]) == (lower_bound(50, 1000, bar), upper_bound(50, 1000, bar))


@pytest.mark.parametrize(
    ("n", "d", "said"), [(60, 60, "critical"), (5, 60, "good"), (40, 600, "warning"), (5, 5, "insufficient_volume")]
)
def test_of_several_rules_the_worst_level_speaks(n: int, d: int, said: str) -> None:
    assert level(line(n, d, window="1h")) == said


def test_rule_on_the_mail_to_some_providers_judges_no_line_which_is_about_all_mail() -> None:
    assert level(line(10, 1000)) == "good"
    whole, (found,), _ = judged(line(10, 1000, window="30d"))
    assert not whole
    assert found["error"] == "no rule of the policy judges failure over 30d of all mail"


@pytest.mark.parametrize(("n", "said"), [(0, "good"), (1, "good"), (2, "critical")])
def test_listings_are_a_number_without_a_volume(n: int, said: str) -> None:
    assert level(line(n, 0, "critical_listing", "1h")) == said


def test_override_holds_until_its_time() -> None:
    assert level(line(250, 1000, customer="guest"), DAY_MS - 1) == "good"
    assert level(line(250, 1000, customer="guest"), DAY_MS) == "critical"


@pytest.mark.parametrize(
    ("n", "d", "month", "said"),
    [
        (60, 500, 60_000, "warning"),
        (59, 500, 60_000, "good"),
        (60, 5_000, 60_000, "good"),  # 1.2 %: less than is allowed
        (60, 99, 60_000, "insufficient_volume"),
        (60, 500, 0, "excessive"),  # the month has at least what the hour has
    ],
)
def test_burn_is_judged_by_the_volume_of_its_period(n: int, d: int, month: int, said: str) -> None:
    raw = json.loads(line(n, d, "failure_burn", "1h")) | {"period_denominator": month}
    assert level(json.dumps(raw).encode() + b"\n") == said


BAD = {
    "not JSON": (b"{\n", "not JSON"),
    "empty": (b"\n", "the line is empty"),
    "no customer": (line(1, 2, customer=""), "customer"),
    "field missing": (b'{"customer":"a","metric":"failure","window":"24h","numerator":1}\n', "denominator"),
    "unknown metric": (line(1, 2, metric="opens"), "metric"),
    "window that is none": (line(1, 2, window="day"), "window"),
    "window that no rule judges": (line(1, 2, window="7d"), "no rule of the policy judges failure over 7d"),
    "metric that no rule judges": (line(1, 2, metric="block"), "no rule of the policy judges block over 24h"),
    "negative": (line(-1, 2), "numerator"),
    "fraction": (line(1, 2).replace(b'"denominator": 2', b'"denominator": 2.5'), "denominator"),
    "text": (line(1, 2).replace(b": 1", b': "1"'), "numerator"),
    "burn without its period": (line(1, 2, "failure_burn", "1h"), "period_denominator: missing, and failure_burn"),
    "spike": (line(1, 2, "volume_spike", "1h"), "volume_spike is judged by the customer's own last weeks"),
    "larger than can be counted": (line(1, 2**63), "denominator"),
}


@pytest.mark.parametrize("case", BAD)
def test_line_that_cannot_be_judged_has_an_error_in_its_place(case: str) -> None:
    raw, said = BAD[case]
    whole, answers, problems = judged(line(0, 1000) + raw + line(250, 1000))
    assert not whole
    assert [each.get("level") for each in answers] == ["good", None, "critical"]
    assert list(answers[1]) == ["error"]
    assert said in answers[1]["error"]
    assert problems == [f"line 2: {answers[1]['error']}"]


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(["24h", "7d", "1h"]))
def test_monitor_says_the_same_of_the_same_counts(hard: int, delivered: int, window: str) -> None:
    policy = load_policy()
    counts = WindowCounts(hard=hard, delivered=delivered)
    subject = SubjectCounts(customer="acme", scope="customer", windows={window: counts})
    verdict = next(each for each in judge(subject, policy, 0).verdicts if each.rule == "failure")
    out = io.BytesIO()
    judge_lines(io.BytesIO(line(hard, hard + delivered, "failure", window)), out, io.StringIO(), policy, 0)
    found = json.loads(out.getvalue())
    assert found["level"] == ("insufficient_volume" if verdict.insufficient_volume else verdict.level)
    if verdict.window == window:
        assert (found["rate"], found["lower"], found["upper"]) == (verdict.rate, verdict.lower, verdict.upper)


def test_command_ends_with_1_where_a_line_could_not_be_judged(tmp_path: Path) -> None:
    (tmp_path / "repmon.toml").write_text("")
    command = ["--config", str(tmp_path / "repmon.toml"), "judge", "--policy", str(default_file())]
    good = CliRunner().invoke(app, command, input=line(0, 1000))
    assert (good.exit_code, json.loads(good.stdout)["level"]) == (0, "good")
    bad = CliRunner().invoke(app, command, input=line(0, 1000) + b"{}\n")
    assert bad.exit_code == 1
    assert len(bad.stdout.splitlines()) == 2
