"""An alert on the rate that Gmail reports: what it says, when it opens and when it resolves."""

import pytest

from schemas.alert import Evidence, ReportedRate
from schemas.counts import REPORTED_OF, SubjectCounts, WindowCounts
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from schemas.times import HOUR_MS
from streams.alerts.describe import alert_event
from streams.alerts.lifecycle import AlertState, step
from streams.judge.verdict import judge

NOW = 1_790_000_000_000
RULE = Rule(
    name="gmail", metric="reported_spam", windows=("7d",), levels=Levels(watch=0.001, warning=0.003), hold_minutes=0
)
POLICY = Policy(rules=(RULE,), windows=("24h", "7d"))


def said(rate: float | None, state: AlertState | None, now_ms: int) -> tuple[AlertState | None, list[str]]:
    """The state after a rate was reported, or none, and what the alert says then."""
    counts = WindowCounts()
    if rate is not None:
        counts = WindowCounts(reported_spam=round(rate * REPORTED_OF), reported_of=REPORTED_OF)
    judgement = judge(SubjectCounts(customer="acme", scope="customer", windows={"7d": counts}), POLICY, now_ms)
    (verdict,) = judgement.verdicts
    state, transition = step(state, verdict, now_ms, 0, "acme", "customer")
    if transition is None:
        return state, []
    reported = () if rate is None else (ReportedRate(day="2026-09-20", domain="acme.com", rate=rate),)
    event = alert_event(transition, verdict, judgement, Evidence(reported=reported), POLICY)
    return state, [event.data.kind, event.data.explanation]


def test_alert_opens_at_the_reported_rate_and_resolves_below_it() -> None:
    state, opened = said(0.0031, None, NOW)
    assert opened == [
        "opened",
        "Worst daily spam rate reported by Gmail in 7d (acme.com on 2026-09-20): 0.31 %, at or above "
        "the warning threshold of 0.30 %.",
    ]
    _, resolved = said(0.0002, state, NOW + HOUR_MS)
    assert resolved == [
        "resolved",
        "Worst daily spam rate reported by Gmail in 7d (acme.com on 2026-09-20): 0.02 %, below 0.08 % "
        "in every window; resolved from warning.",
    ]


def test_alert_resolves_without_a_rate_where_the_day_has_left_the_window() -> None:
    state, _ = said(0.0031, None, NOW)
    _, resolved = said(None, state, NOW + HOUR_MS)
    assert resolved[1] == "No spam rate reported by Gmail in 7d; resolved from warning."


@pytest.mark.parametrize(
    ("rate", "level"), [(0.000999, "good"), (0.001, "watch"), (0.003, "warning"), (1.0, "warning")]
)
def test_threshold_itself_opens_its_level(rate: float, level: str) -> None:
    state, _ = said(rate, None, NOW)
    assert ("good" if state is None else state.level) == level
