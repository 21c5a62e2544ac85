"""What stands behind an alert: who brought it, what hosts answered, since when, and what was usual."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operator.fresh_starts import give_fresh_start
from jobs.operator.incidents import declare_incident
from schemas import policy
from schemas.alert import Baseline, Evidence
from schemas.times import HOUR_MS
from schemas.wording import SAMPLE_LENGTH, masked
from streams.alerts.evidence import AskedAlert, EvidenceReader, began
from streams.alerts.evidence import collect as collect_all
from streams.incidents.stored import read_all_left_out
from streams.subjects.stored_fresh_starts import read_since
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.evidence import collect
from tests.support.judging import LOOP, NOW_MS, WINDOWS, Counting, Ground
from tests.support.rich_history import PROVIDERS, STREAMS, random_mail, store_mail

pytestmark = pytest.mark.usefixtures("standing_clock")

ALL = ("acme", "customer")
NEWS, RECEIPTS = ("acme", "stream:news"), ("acme", "stream:receipts")


def bounced(ground: Ground, *events: dict[str, Any]) -> None:
    """Hard bounces; each says what is special about it, `back` is how many seconds ago it was."""
    usual: dict[str, Any] = {
        "customer": "acme",
        "stream": "news",
        "type": "bounced",
        "bounce_kind": "hard",
        "bounce_class": "invalid_recipient",
        "provider": "yahoo",
        "message_id": "",
        "campaign": "",
        "diagnostic": "",
    }
    rows = [{**usual, **each} for each in events]
    times = [datetime.fromtimestamp(NOW - row.pop("back", 0), UTC) for row in rows]
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in usual}
    ground.store.insert("events", {**columns, "time": times, "position": list(range(len(rows)))})


def evidence(
    ground: Ground, window: str = "24h", metric: str = "failure", threshold: float = 0.05, **more: Any
) -> dict[tuple[str, str], Evidence]:
    subjects = [ALL, NEWS, RECEIPTS]
    thresholds = dict.fromkeys(subjects, threshold)
    return collect(ground.store, subjects, metric, WINDOWS[window], LOOP, NOW_MS, thresholds, **more)


def test_class_is_reported_with_the_latest_answer_of_a_host_and_nobodys_name(ground: Ground) -> None:
    bounced(
        ground,
        {"diagnostic": "550 5.1.1 <ann@example.com>: unknown", "back": 60},
        {"diagnostic": "550 5.1.1 <bob.b@example.com>:\r\n user\x1b[2J unknown", "back": 30},
        {"diagnostic": "", "back": 10},
        {"diagnostic": "552 <carl@example.com> inactive", "bounce_class": "inactive_mailbox", "back": 5},
    )
    found = [(each.name, each.count, each.sample) for each in evidence(ground)[ALL].bounce_classes]
    assert found == [
        ("invalid_recipient", 3, "550 5.1.1 <*@example.com>: user [2J unknown"),
        ("inactive_mailbox", 1, "552 <*@example.com> inactive"),
    ]


def test_campaigns_and_domains_of_the_from_address_are_reported(ground: Ground) -> None:
    bounced(
        ground,
        *({"campaign": "spring"} for _ in range(3)),
        {"campaign": "autumn", "stream": "receipts"},
        {"customer": "rival", "campaign": "theirs"},
    )
    at = datetime.fromtimestamp(NOW // MINUTE * MINUTE, UTC)
    rows = [("acme", "example.com", 70), ("acme", "mail.example.com", 30), ("rival", "rival.example", 90)]
    columns: dict[str, Any] = {
        "dimension": ["from"] * 3,
        "customer": [row[0] for row in rows],
        "stream": ["news"] * 3,
        "value": [row[1] for row in rows],
        "hard": [row[2] for row in rows],
    }
    ground.store.insert("counts", {**columns, "delivered": [900] * 3, "bucket": [at] * 3, "source": ["f"] * 3})
    found = evidence(ground)
    assert [(each.name, each.count) for each in found[ALL].campaigns] == [("spring", 3), ("autumn", 1)]
    assert [(each.name, each.count) for each in found[RECEIPTS].campaigns] == [("autumn", 1)]
    assert [(each.name, each.count, each.volume) for each in found[NEWS].from_domains] == [
        ("example.com", 70, 970),
        ("mail.example.com", 30, 930),
    ]


def test_recipient_that_bounced_after_its_delivery_counts_once_in_a_volume(ground: Ground) -> None:
    at = datetime.fromtimestamp(NOW // MINUTE * MINUTE, UTC)
    ground.store.insert(
        "counts",
        {
            "dimension": ["ip"], "customer": ["acme"], "stream": ["news"], "value": ["192.0.2.1"], "bucket": [at],
            "source": ["f"], "delivered": [100], "hard": [9], "late_hard": [4], "expired": [5],
        },
    )  # fmt: skip
    assert [(each.count, each.volume) for each in evidence(ground)[ALL].ips] == [(14, 110)]
    assert [(each.count, each.volume) for each in evidence(ground, metric="volume_spike")[ALL].ips] == [(110, 110)]


def test_twenty_latest_messages_are_named_once_each(ground: Ground) -> None:
    bounced(ground, *({"message_id": f"m{number:02}", "back": number} for number in range(30) for _ in "ab"))
    assert evidence(ground)[ALL].sample_message_ids == tuple(f"m{number:02}" for number in range(20))


def test_usual_rate_is_that_of_the_thirty_days_before_the_window(ground: Ground) -> None:
    ground.put(
        Row(NOW - HOUR, delivered=900, hard=300),
        Row(NOW - 3 * DAY, delivered=9_900, hard=100),
        Row(NOW - 20 * DAY, delivered=990, hard=9, expired=1, stream="receipts"),
        Row(NOW - 40 * DAY, delivered=10, hard=5_000),
        Row(NOW - 3 * DAY, delivered=10, hard=70, customer="rival"),
    )
    found = evidence(ground)
    assert found[ALL].baseline == Baseline(days=30, numerator=110, denominator=11_000)
    assert found[NEWS].baseline == Baseline(days=30, numerator=100, denominator=10_000)
    assert evidence(ground, expired_is_failure=False)[RECEIPTS].baseline == Baseline(
        days=30, numerator=9, denominator=1_000
    )


def test_complaints_are_compared_at_providers_with_feedback_loops_only(ground: Ground) -> None:
    ground.put(
        Row(NOW - 3 * DAY, delivered=5_000, complained=10),
        Row(NOW - 3 * DAY, delivered=7_000, complained=3, provider="gmail"),
    )
    assert evidence(ground, metric="complaint")[ALL].baseline == Baseline(days=30, numerator=10, denominator=5_000)


def test_customer_without_mail_before_the_window_has_nothing_usual(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=900, hard=300))
    assert evidence(ground)[ALL].baseline is None


@pytest.mark.parametrize(
    ("window", "back", "grain"), [("24h", 5 * HOUR, HOUR), ("1h", 20 * MINUTE, MINUTE), ("7d", 3 * DAY, HOUR)]
)
def test_beginning_is_the_hour_or_minute_from_which_on_the_rate_is_too_high(
    ground: Ground, window: str, back: int, grain: int
) -> None:
    length = WINDOWS[window] // 1000
    good = [Row(NOW - at, delivered=1_000, hard=9) for at in range(back + grain, length - grain, grain)]
    bad = [Row(NOW - at, delivered=700, hard=300) for at in range(0, back + 1, grain)]
    ground.put(*good, *bad)
    begin = (NOW - back) // grain * grain
    assert evidence(ground, window)[ALL].began == f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def test_rate_below_the_threshold_began_nowhere(ground: Ground) -> None:
    ground.put(Row(NOW, delivered=1_000, hard=9))
    assert evidence(ground)[ALL].began is None


def test_alert_carries_it_all(ground: Ground) -> None:
    ground.put(Row(NOW - 10 * MINUTE, delivered=900, hard=300), Row(NOW - 5 * DAY, delivered=90_000, hard=90))
    bounced(ground, {"message_id": "m1", "campaign": "spring", "diagnostic": "550 no such user"})
    ground.judge().judge_customers(["acme"], NOW_MS)
    (sent,) = ground.sent
    assert sent.data.evidence.baseline == Baseline(days=30, numerator=90, denominator=90_090)
    assert sent.data.evidence.began == "2026-03-12T12:24:00.000Z"
    assert [each.sample for each in sent.data.evidence.bounce_classes] == ["550 no such user"]
    assert [each.name for each in sent.data.evidence.campaigns] == ["spring"]


def test_address_in_an_answer_is_masked_and_a_long_one_is_cut() -> None:
    said = 'mailto:ann+tag@x.example; <"bob"@y.example> [carl@[192.0.2.1]] d@e.example\n' + "x" * 900
    found = masked(said)
    assert found.startswith("mailto:*@x.example; <")
    for name in ("ann", "tag", "carl", "d@"):
        assert name not in found
    assert len(found) == SAMPLE_LENGTH


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 200)), max_size=20), st.floats(0.001, 0.5))
def test_law_from_the_beginning_on_the_rate_is_above_the_threshold(
    counts: list[tuple[int, int]], threshold: float
) -> None:
    series = [(place * 3_600, top, bottom) for place, (top, bottom) in enumerate(counts, start=1)]
    found = began(series, threshold)
    excess = [sum(n - threshold * d for at, n, d in series if at >= since) for since, _, _ in series]
    if found is None:
        assert all(each <= 0 for each in excess)
    else:
        place = [at for at, _, _ in series].index(found // 1000)
        assert excess[place] > 0
        assert excess[place] == pytest.approx(max(excess))


METRICS = ("failure", "failure_burn", "block", "complaint", "unsubscribe", "unwanted", "exposure", "volume_spike")
GROUPS = ((), ("yahoo", "gmail"), ("microsoft",))
SCOPES = ("customer", "stream:eu/news", "stream:receipts", "class:bulk", "sub_account:eu")


def random_events(ground: Ground, seed: int) -> None:
    """Each at a time of its own: which answer is the latest is known."""
    chance = random.Random(seed)
    kinds = (("bounced", "hard"), ("bounced", "block"), ("bounced", "soft"), ("expired", ""), ("expired", "block"))
    for number in range(200):
        kind, bounce_kind = chance.choice((*kinds, ("complained", ""), ("unsubscribed", "")))
        bounced(
            ground,
            {
                "customer": chance.choice(("acme", "beta")),
                "stream": chance.choice(STREAMS),
                "type": kind,
                "bounce_kind": bounce_kind,
                "bounce_class": chance.choice(("", "spam", "invalid_recipient")),
                "provider": chance.choice(PROVIDERS),
                "message_id": f"m{number}",
                "campaign": chance.choice(("", "spring", "autumn")),
                "diagnostic": chance.choice(("", f"550 {number}")),
                "back": int(8 * DAY * (number + chance.random()) / 200),
            },
        )


@pytest.mark.parametrize("seed", range(2))
def test_law_evidence_of_many_alerts_is_that_of_each_by_itself(ground: Ground, seed: int) -> None:
    """Whatever their metrics, windows and providers, and whether it is known what incidents leave out or looked up."""
    store_mail(ground.store, random_mail(seed, ("acme", "beta"), 300, 40 * DAY))
    random_events(ground, seed)
    hours = (NOW // HOUR - 30) * HOUR_MS, (NOW // HOUR - 2) * HOUR_MS
    who: Any = {"by": "Ida", "why": "theirs", "now_ms": NOW_MS}
    declare_incident(ground.store, "yahoo", *hours, providers=("yahoo",), **who)
    declare_incident(ground.store, "*", hours[0], hours[0] + 2 * HOUR_MS, providers=(), **who)
    give_fresh_start(ground.store, "beta", by="Ida", why="agreed", now_ms=NOW_MS - 20 * HOUR_MS)
    asked = [
        AskedAlert((customer, scope), metric, WINDOWS[window], group, 0.05)
        for customer in ("acme", "beta")
        for scope in SCOPES
        for metric in METRICS
        for window in ("1h", "24h", "7d")
        for group in GROUPS
    ]
    left_out = read_all_left_out(ground.store, 0).mail
    assert len(left_out) > 28
    counting = Counting(ground.store)
    since = read_since(ground.store, NOW_MS)
    reader = EvidenceReader(counting, LOOP, policy.load_policy(), NOW_MS, since, left_out)
    together = collect_all(reader, asked)
    assert together == collect_all(reader._replace(left_out=None), asked)
    assert len(counting.asked) < len(asked) / 10
    for each in random.Random(seed).sample(asked, 6):
        assert collect_all(reader, [each]) == {each: together[each]}
    assert sum(bool(each.providers) for each in together.values()) > 100
    assert sum(bool(each.sample_message_ids) for each in together.values()) > 50
    assert len({each.began for each in together.values()}) > 5


def test_rules_with_the_same_metric_and_window_begin_each_by_its_own_threshold(ground: Ground) -> None:
    ground.put(*(Row(NOW - back * HOUR, delivered=900, hard=40) for back in range(5, 20)))
    ground.put(*(Row(NOW - back * HOUR, delivered=600, hard=300) for back in range(5)))
    asked = [AskedAlert(ALL, "failure", WINDOWS["24h"], (), threshold) for threshold in (0.02, 0.2)]
    found = collect_all(EvidenceReader(ground.store, LOOP, policy.load_policy(), NOW_MS, {}, None), asked)
    assert [found[each].began for each in asked] == ["2026-03-11T17:00:00.000Z", "2026-03-12T08:00:00.000Z"]
