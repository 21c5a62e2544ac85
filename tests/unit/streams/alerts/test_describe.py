"""What an alert says: the CloudEvent, and sentences a person understands."""

from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from api.explain.explanation import numbers_of
from schemas.alert import AlertEvent, Evidence, Share, TransitionKind, Unjudged
from schemas.counts import SubjectCounts, VolumeBaseline, WindowCounts
from schemas.levels import Level
from schemas.policy import Policy, load_policy, parse
from schemas.policy_metric import Metric
from schemas.times import HOUR_MS, epoch_ms
from schemas.topics import folder
from schemas.wording import percent, rfc3339
from streams.alerts.describe import alert_event, explain
from streams.alerts.lifecycle import Transition
from streams.judge.verdict import Judgement, Verdict, judge

POLICY = load_policy()
NOW_MS = 1_767_225_600_007


def alert(
    rule: str,
    counts: dict[str, int],
    kind: TransitionKind = "opened",
    levels: tuple[Level, Level] | None = None,
    **more: Any,
) -> AlertEvent:
    """The event about one rule, where every window has `counts`. `levels` are the former and the present."""
    policy: Policy = more.get("policy", POLICY)
    scope: str = more.get("scope", "customer")
    windows = {window: WindowCounts(**counts) for window in policy.windows}
    judgement = judge(SubjectCounts(customer="acme", scope=scope, windows=windows), policy, NOW_MS)
    verdict = next(each for each in judgement.verdicts if each.rule == rule)
    previous, level = levels if levels else ("good", verdict.level)
    changed = transition(rule, kind, previous, level, scope)
    return event(changed, verdict, judgement, policy, more.get("left_out", ()), more.get("since_s", 0))


def transition(rule: str, kind: TransitionKind, previous: Level, level: Level, scope: str) -> Transition:
    return Transition(
        customer="acme",
        scope=scope,
        rule=rule,
        kind=kind,
        level=level,
        previous_level=previous,
        episode=2,
        transition=3,
        time_ms=NOW_MS,
        opened_ms=0,
    )


def event(
    changed: Transition,
    verdict: Verdict,
    judgement: Judgement,
    policy: Policy,
    left_out: tuple[Unjudged, ...] = (),
    since_s: int = 0,
) -> AlertEvent:
    evidence = Evidence(providers=(Share(name="yahoo", count=58, volume=9800),), left_out=left_out)
    return alert_event(changed, verdict, judgement, evidence, policy, since_s)


COMPLAINTS = {"fbl_complained": 58, "fbl_delivered": 9800}

OPENED = {
    "complaint": (
        COMPLAINTS,
        "58 complaints among 9,800 deliveries at providers with feedback loops, of mail sent in the last 24h: 0.59 % "
        "(99.63 % interval 0.35 % to 0.93 %), at or above the excessive threshold of 0.30 %.",
    ),
    "failure": (
        {"hard": 1100, "expired": 201, "delivered": 8699},
        "1,301 of 10,000 recipients failed (hard bounces and expired mail), of mail sent in the last "
        "1h: 13.01 % "
        "(99.98 % interval 11.42 % to 14.74 %), at or above the critical threshold of 10.00 %.",
    ),
    "block": (
        {"block": 190, "delivered": 810},
        "190 of 1,000 recipients were refused for policy, spam or reputation, of mail sent in the last "
        "1h: 19.00 % "
        "(99.98 % interval 13.72 % to 25.19 %), at or above the warning threshold of 10.00 %.",
    ),
    "exposure": (
        {"exposed": 600, "sent": 1000},
        "600 of 1,000 messages sent through an address on a blocklist, of mail sent in the last 1h: 60.00 % "
        "(99.98 % interval 52.00 % to 67.58 %), at or above the warning threshold of 25.00 %. "
        "A shared address may be listed because of another customer.",
    ),
    "critical_listing": (
        {"critical_listings": 1},
        "1 listing on critical blocklists of addresses or domains that only this customer used, in 1h, "
        "at or above the critical threshold of 1.",
    ),
}


BURNING = {
    "5m": WindowCounts(delivered=300, hard=60),
    "1h": WindowCounts(delivered=310, hard=75),
    "30d": WindowCounts(delivered=14_900, hard=75, expired=25),
}


def burning(kind: TransitionKind, levels: tuple[Level, Level], windows: dict[str, WindowCounts]) -> AlertEvent:
    judgement = judge(SubjectCounts(customer="acme", scope="customer", windows=windows), POLICY, NOW_MS)
    verdict = next(each for each in judgement.verdicts if each.rule == "failure_burn")
    return event(transition("failure_burn", kind, *levels, "customer"), verdict, judgement, POLICY)


def test_burn_is_reported_as_the_rate_and_how_fast_that_spends_the_allowance() -> None:
    opened = burning("opened", ("good", "excessive"), BURNING)
    assert opened.data.explanation == (
        "75 of 385 recipients failed (hard bounces and expired mail), of mail sent in the last "
        "1h: 19.48 %, "
        "spending the 5.00 % allowed of 30d at 72 times the allowed pace, "
        "at or above the excessive threshold of 72 times the allowed pace."
    )


def test_burn_that_is_over_says_by_which_window_it_was_held() -> None:
    quiet = {**BURNING, "5m": WindowCounts(delivered=200), "1h": WindowCounts(delivered=600, hard=9)}
    assert burning("resolved", ("excessive", "good"), quiet).data.explanation == (
        "0 of 200 recipients failed (hard bounces and expired mail), of mail sent in the last 5m: 0.00 %, "
        "spending the 5.00 % allowed of 30d at 0 times the allowed pace, "
        "below 11.5 times the allowed pace over 1h for 30 minutes; resolved from excessive."
    )


USUAL = VolumeBaseline(median=2000, mad=100, largest=2400, days=28)


def spiking(kind: TransitionKind, levels: tuple[Level, Level], volume: int, usual: VolumeBaseline | None) -> AlertEvent:
    windows = {"1h": WindowCounts(delivered=volume)}
    subject = SubjectCounts(customer="acme", scope="customer", windows=windows, baseline=usual)
    judgement = judge(subject, POLICY, NOW_MS)
    verdict = next(each for each in judgement.verdicts if each.rule == "volume_spike")
    return event(transition("volume_spike", kind, *levels, "customer"), verdict, judgement, POLICY)


def test_spike_is_reported_with_what_is_usual() -> None:
    opened = spiking("opened", ("good", "warning"), 12_400, USUAL)
    assert opened.data.explanation == (
        "12,400 recipients of mail sent in the last "
        "1h; usual at this time of day are 2,000 (median of 28 days), and at most 2,400 "
        "in two hours at any time: score 26, at or above the warning threshold of score 20."
    )
    assert (opened.data.numerator, opened.data.denominator) == (12_400, 2_000)


def test_spike_that_is_over_says_below_what_it_stayed() -> None:
    resolved: tuple[Level, Level] = ("warning", "good")
    assert spiking("resolved", resolved, 2_500, USUAL).data.explanation == (
        "2,500 recipients of mail sent in the last "
        "1h; usual at this time of day are 2,000 (median of 28 days), and at most 2,400 "
        "in two hours at any time: score 1.2, below score 4.8 or not above 1.6 times the busiest hours for 30 minutes; "
        "resolved from warning."
    )
    assert spiking("resolved", resolved, 900, USUAL).data.explanation.endswith(
        "too little to judge (at least 1,000); resolved from warning."
    )
    assert spiking("resolved", resolved, 9_000, None).data.explanation == (
        "9,000 recipients of mail sent in the last 1h, without the history to judge it; resolved from warning."
    )


@pytest.mark.parametrize("rule", OPENED)
def test_opened_alert_is_explained_with_its_numbers(rule: str) -> None:
    counts, said = OPENED[rule]
    assert alert(rule, counts).data.explanation == said


def test_escalated_alert_says_from_where() -> None:
    said = alert("complaint", COMPLAINTS, "escalated", ("warning", "excessive")).data.explanation
    assert said.endswith("at or above the excessive threshold of 0.30 %. It was at warning before.")


def test_de_escalated_alert_says_below_what_the_rate_stayed() -> None:
    counts = {"fbl_complained": 20, "fbl_delivered": 10000}
    assert alert("complaint", counts, "de-escalated", ("excessive", "warning")).data.explanation == (
        "20 complaints among 10,000 deliveries at providers with feedback loops, of mail sent in the last 7d: 0.20 % "
        "(97.84 % interval 0.093 % to 0.37 %), below 0.24 % in every window for 30 minutes; "
        "down to warning from excessive."
    )


def test_resolved_alert_says_below_what_the_rate_stayed() -> None:
    counts = {"fbl_complained": 1, "fbl_delivered": 10000}
    assert alert("complaint", counts, "resolved", ("excessive", "good")).data.explanation == (
        "1 complaint among 10,000 deliveries at providers with feedback loops, of mail sent in the last 24h: 0.01 % "
        "(99.63 % interval 0.00 % to 0.11 %), below 0.08 % in every window for 30 minutes; "
        "resolved from excessive."
    )


def test_alert_resolved_for_want_of_mail_says_so() -> None:
    counts = {"fbl_complained": 1, "fbl_delivered": 12}
    assert alert("complaint", counts, "resolved", ("warning", "good")).data.explanation == (
        "1 complaint among 12 deliveries at providers with feedback loops, of mail sent in the last 24h: 8.33 % "
        "(99.63 % interval 0.00 % to 58.52 %), too little to judge (at least 500); resolved from warning."
    )


def test_alert_resolved_without_any_mail_shows_no_rate() -> None:
    assert alert("complaint", {}, "resolved", ("warning", "good")).data.explanation == (
        "0 complaints among 0 deliveries at providers with feedback loops, of mail sent in the last 24h, "
        "too little to judge (at least 500); resolved from warning."
    )


def test_resolved_listing_alert_says_that_nothing_is_listed() -> None:
    assert alert("critical_listing", {}, "resolved", ("critical", "good")).data.explanation == (
        "No listing on critical blocklists of addresses or domains that only this customer used, in 1h, "
        "below 1 in every window for 30 minutes; resolved from critical."
    )


LISTED = """
[[rules]]
name = "listings"
metric = "listing_count"
windows = ["24h"]
weights = ["minor"]
levels = { warning = 2 }

[[rules]]
name = "hours"
metric = "listed_hours"
windows = ["24h"]
levels = { warning = 1, excessive = 24 }

[[rules]]
name = "cause"
metric = "attributed_listing"
windows = ["24h"]
min_share = 0.8
levels = { warning = 1 }
"""
ABOUT_LISTINGS = {
    "listings": (
        {"listings_minor": 3, "listings_major": 1},
        "3 listings on minor blocklists of addresses or domains that only this customer used, in 24h, "
        "at or above the warning threshold of 2.",
    ),
    "hours": (
        {"listed_s_major": 90_000, "listed_s_critical": 3_600},
        "26 hours on critical or major blocklists of addresses or domains that only this customer used, in 24h, "
        "at or above the excessive threshold of 24. Each list counts by itself.",
    ),
    "cause": (
        {"attributed_listings": 1},
        "1 listing that this customer most likely caused (a share of 0.8 or more) in 24h, at or above the warning "
        "threshold of 1. By what was sent in the 48 hours before each; the evidence has its part.",
    ),
}


@pytest.mark.parametrize("rule", ABOUT_LISTINGS)
def test_numbers_of_listings_and_hours_are_explained_with_what_was_counted(rule: str) -> None:
    counts, said = ABOUT_LISTINGS[rule]
    assert alert(rule, counts, policy=parse(LISTED, "policy.toml")).data.explanation == said


def test_level_that_the_policy_gave_up_is_explained() -> None:
    said = alert("complaint", COMPLAINTS, "de-escalated", ("critical", "excessive")).data.explanation
    assert said.endswith("; down to excessive from critical, a level that the policy no longer has.")


def test_more_complaints_than_deliveries_are_explained() -> None:
    said = alert("complaint", {"fbl_complained": 1500, "fbl_delivered": 1000}).data.explanation
    assert said.startswith("1,500 complaints among 1,000 deliveries")
    assert said.endswith(
        " More than the mail of the window, because reports come later than the mail; judged as 100 %."
    )


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("complaint", {"fbl_complained": 100, "fbl_delivered": 10_000, "outside_complained": 17}),
        ("failure", {"hard": 2_000, "delivered": 8_000, "outside_hard": 10, "outside_expired": 7}),
        ("block", {"block": 9_000, "delivered": 1_000, "outside_block": 17}),
    ],
)
def test_late_outcomes_of_other_mail_are_told_though_they_do_not_count(rule: str, counts: dict[str, int]) -> None:
    data = alert(rule, counts).data
    told = f" 17 more came in {data.window} about mail of an unknown time, most likely sent before: not counted."
    assert told in data.explanation
    fewer = {name: number for name, number in counts.items() if not name.startswith("outside")}
    assert "more came" not in alert(rule, fewer).data.explanation


def test_what_is_left_out_of_a_window_is_told_with_its_numbers() -> None:
    left_out = (
        Unjudged(reason="incident", count=325, volume=330, provider="gmail", incident="3f9c0a417b22d85e"),
        Unjudged(reason="incident", count=20, volume=70, provider="yahoo", incident="3f9c0a417b22d85e"),
        Unjudged(reason="fresh-start", count=300, volume=1_000),
    )
    failing = {"hard": 1000, "delivered": 9000, "outside_hard": 17}
    data = alert("failure", failing, left_out=left_out, since_s=NOW_MS // 1000 - 60).data
    assert " Not counted: 345 of 400 at gmail and yahoo, where an incident hit many senders." in data.explanation
    assert ", a fresh start given by the operator (300 of 1,000 before)." in data.explanation
    assert data.evidence.left_out == (*left_out, Unjudged(reason="unknown-time", count=17))


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (Unjudged(reason="incident", count=9, volume=60), "9 of 60 in hours in which an incident hit many senders"),
        (Unjudged(reason="incident", count=1, zone="bl.example"), "1 listing on bl.example, where many began at once"),
        (Unjudged(reason="incident", count=2, zone="bl.example"), "2 listings on bl.example, where many began at once"),
    ],
)
def test_what_incidents_leave_out_of_pools_and_of_listings_is_told(left_out: Unjudged, said: str) -> None:
    assert (
        f" Not counted: {said}."
        in alert("failure", {"hard": 1000, "delivered": 9000}, left_out=(left_out,)).data.explanation
    )


def test_mail_given_up_is_not_named_where_it_is_no_failure() -> None:
    policy = msgspec.structs.replace(POLICY, expired_is_failure=False)
    said = alert("failure", {"hard": 1000, "delivered": 9000}, policy=policy).data.explanation
    assert said.startswith("1,000 of 10,000 recipients failed (hard bounces), of mail sent in the last 1h")


def test_stream_is_named() -> None:
    said = alert("complaint", COMPLAINTS, scope="stream:news")
    assert said.data.explanation.startswith("Stream news: 58 complaints among")


def test_override_in_force_gives_the_marks_of_the_text() -> None:
    policy = parse(
        """
        [[rules]]
        name = "complaint"
        metric = "complaint"
        windows = ["24h"]
        levels = { warning = 0.001 }
        hold_minutes = 0
        [[overrides]]
        customer = "acme"
        rule = "complaint"
        reason = "agreed"
        levels = { warning = 0.1 }
        """,
        "t",
    )
    said = alert("complaint", COMPLAINTS, "resolved", ("warning", "good"), policy=policy).data.explanation
    assert said.endswith("), below 8.00 % in every window; resolved from warning. Override in force: by the policy.")


def test_event_is_a_cloud_event_about_the_customer() -> None:
    found = alert("complaint", COMPLAINTS)
    changed = transition("complaint", "opened", "good", "excessive", "customer")
    assert (found.specversion, found.source, found.subject) == ("1.0", "/repmon/monitor", "acme")
    assert found.type == "org.repmon.alert.opened.v1"
    assert found.id == changed.id
    assert found.time == "2026-01-01T00:00:00.007Z"


def test_event_carries_the_verdict_and_its_evidence() -> None:
    data = alert("complaint", COMPLAINTS, "escalated", ("warning", "excessive")).data
    assert data.alert_id == transition("complaint", "opened", "good", "warning", "customer").alert_id
    assert (data.customer, data.scope, data.rule, data.metric) == (
        "acme",
        "customer",
        "complaint",
        "complaint",
    )
    assert (data.kind, data.previous_level, data.level) == ("escalated", "warning", "excessive")
    assert (data.episode, data.transition) == (2, 3)
    assert (data.window, data.numerator, data.denominator) == ("24h", 58, 9800)
    assert data.rate == pytest.approx(58 / 9800)
    assert data.lower < data.rate < data.upper
    assert (data.confidence, data.threshold) == (0.9963, 0.003)
    assert data.policy_version == POLICY.version
    assert data.evidence.providers == (Share(name="yahoo", count=58, volume=9800),)


def test_event_survives_the_wire() -> None:
    found = alert("complaint", COMPLAINTS)
    assert msgspec.json.decode(msgspec.json.encode(found), type=AlertEvent) == found


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.0, "0.00 %"),
        (1.0, "100.00 %"),
        (0.003, "0.30 %"),
        (0.12345, "12.35 %"),
        (0.001, "0.10 %"),
        (0.0008, "0.08 %"),
        (0.000421, "0.042 %"),
        (0.00000012, "0.000012 %"),
        (0.0000000012, "0.00000012 %"),
    ],
)
def test_percent_has_two_decimals_or_two_digits(ratio: float, said: str) -> None:
    assert percent(ratio) == said


def test_time_keeps_its_milliseconds() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_999) == "1970-01-01T00:00:01.999Z"


def test_override_in_force_is_reported_without_its_reason_and_others_are_not() -> None:
    text = """
        [[rules]]
        name = "complaint"
        metric = "complaint"
        windows = ["24h"]
        levels = { warning = 0.001, excessive = 0.003 }
        [[overrides]]
        customer = "acme"
        rule = "complaint"
        levels = { warning = 0.002 }
        reason = "contract 7"
        [[overrides]]
        customer = "acme"
        rule = "complaint"
        stream = "news"
        levels = { warning = 0.002 }
        reason = "news is new"
        [[overrides]]
        customer = "rival"
        rule = "complaint"
        levels = { warning = 0.5 }
        reason = "of another"
    """
    policy = parse(text, "test")
    said = alert("complaint", COMPLAINTS, policy=policy).data.explanation
    assert said.endswith("at or above the warning threshold of 0.20 %. Override in force: by the policy.")
    said = alert("complaint", COMPLAINTS, "resolved", ("excessive", "good"), policy=policy).data.explanation
    assert said.endswith("resolved from excessive. Override in force: by the policy.")
    said = alert("complaint", COMPLAINTS, policy=policy, scope="stream:news").data.explanation
    assert said.endswith("Override in force: by the policy.")
    assert "contract" not in said, "the customer reads it"
    assert "Override" not in alert("complaint", COMPLAINTS).data.explanation


def test_numbers_of_a_spike_are_reported_against_what_is_usual() -> None:
    assert numbers_of("volume_spike", 9_000, 300) == "9,000, usually 300"
    assert numbers_of("failure", 38, 10_000) == "38 of 10,000"
    assert numbers_of("listed_hours", 26, 1) == "26"


EXAMPLES = sorted(Path(str(folder("examples"))).glob("reputation.alerts/valid/*.json"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_example_of_the_topic_says_what_is_said_of_its_numbers(file: Path) -> None:
    example = msgspec.json.decode(file.read_bytes(), type=AlertEvent)
    data, time_ms = example.data, epoch_ms(datetime.fromisoformat(example.time))
    verdict = Verdict(
        rule=data.rule,
        metric=cast(Metric, data.metric),
        level=data.level,
        holding_level=data.level,
        insufficient_volume=False,
        **{name: getattr(data, name) for name in ("window", "numerator", "denominator", "rate", "lower", "upper")},
        **{name: getattr(data, name) for name in ("confidence", "threshold")},
    )
    changed = Transition(
        time_ms=time_ms,
        # Only of what opened again it is said when it opened first: in the example, three hours before.
        opened_ms=time_ms - 3 * HOUR_MS,
        override=data.override,
        held=data.held,
        cause=data.cause or "events",
        **{name: getattr(data, name) for name in ("customer", "scope", "rule", "kind", "level", "previous_level")},
        **{name: getattr(data, name) for name in ("episode", "transition")},
    )
    judgement = judge(SubjectCounts(customer=data.customer, scope=data.scope, windows={}), POLICY, time_ms)
    assert data.explanation == explain(changed, verdict, judgement, POLICY, evidence=data.evidence)
