"""Bulk and transactional mail judged by themselves, where a customer sends both."""

from datetime import UTC, datetime

import msgspec
import pytest

from schemas import policy as policies
from schemas import providers
from schemas.alert import AlertEvent
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from schemas.scope import Scope
from schemas.times import HOUR_MS
from streams.decisions.suspensions import SHOWN_STANDINGS
from streams.io.store import Store
from streams.monitor.batch import BatchJudge
from streams.windows.current import Windows
from streams.windows.past import counts_at

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = 1_790_000_000_000
WINDOWS = {"24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS}
FAILURE = Rule(
    name="failure", metric="failure", windows=("24h", "7d"), min_volume=100, levels=Levels(excessive=0.05, critical=0.3)
)
POLICY = Policy(windows=tuple(WINDOWS), rules=(FAILURE,), scopes=("customer", "class"))


@pytest.fixture(autouse=True)
def mail(store: Store) -> None:
    """`acme` sends both classes, two streams of one of them; `beta` only one."""
    for customer, stream, stream_class, hours_ago, delivered, hard in (
        ("acme", "news", "bulk", 1, 900, 100),
        ("acme", "offers", "bulk", 30, 500, 0),
        ("acme", "receipts", "transactional", 1, 150, 150),
        ("beta", "news", "bulk", 1, 70, 2),
    ):
        at = datetime.fromtimestamp((NOW_MS - hours_ago * HOUR_MS) // 60_000 * 60, UTC)
        row = {"customer": customer, "stream": stream, "class": stream_class, "value": "yahoo", "bucket": at}
        row |= {"dimension": "provider", "source": "t:x:0", "delivered": delivered, "hard": hard}
        store.insert("counts", {name: [value] for name, value in row.items()})


def test_classes_are_counted_of_customers_that_send_both(store: Store) -> None:
    subjects, _ = Windows.for_policy(store, POLICY, WINDOWS, [], 0, 0).read(["acme", "beta"], NOW_MS)
    found = {(each.customer, each.scope): each for each in map(subjects.one, range(len(subjects)))}
    classes = {whose: each for whose, each in found.items() if whose[1].startswith("class:")}
    assert {
        whose: {name: (counts.delivered, counts.hard) for name, counts in each.windows.items()}
        for whose, each in classes.items()
    } == {
        ("acme", "class:transactional"): {"24h": (150, 150), "7d": (150, 150)},
        ("acme", "class:bulk"): {"24h": (900, 100), "7d": (1_400, 100)},
    }
    at_once = counts_at(store, "acme", WINDOWS, [], NOW_MS, include_later=True, policy=POLICY)
    assert at_once == [each for (customer, _), each in found.items() if customer == "acme"]


def test_classes_are_not_read_where_the_policy_does_not_judge_them(store: Store) -> None:
    subjects, _ = Windows.for_policy(store, policies.load_policy(), WINDOWS | {"1h": HOUR_MS}, [], 0, 0).read(
        ["acme"], NOW_MS
    )
    assert not [scope for scope in subjects.scopes if scope.startswith("class:")]


def test_class_has_alerts_of_its_own_with_evidence_of_its_mail(store: Store) -> None:
    sent: list[AlertEvent] = (
        BatchJudge(store, POLICY, providers.load_providers(), lambda *_: None, lambda: None)
        .judge_customers(["acme", "beta"], NOW_MS)
        .alerts
    )
    assert {each.data.scope: each.data.level for each in sent} == {
        "customer": "excessive",
        "class:bulk": "excessive",
        "class:transactional": "critical",
    }
    transactional = next(each.data for each in sent if each.data.scope == "class:transactional")
    assert transactional.explanation.startswith("Transactional mail: 150 of 300 recipients failed")
    assert [(each.name, each.count) for each in transactional.evidence.providers] == [("yahoo", 150)]


def test_class_that_another_policy_does_not_judge_is_shown_no_more(store: Store) -> None:
    def shown() -> list[tuple[str, str]]:
        rows = store.rows(f"SELECT scope, standing FROM {SHOWN_STANDINGS} WHERE customer = 'acme' ORDER BY scope")  # noqa: S608
        return [(str(scope), str(standing)) for scope, standing in rows]

    def judged(scopes: tuple[Scope, ...], after_ms: int) -> None:
        lenient = msgspec.structs.replace(FAILURE, levels=Levels(critical=0.3))
        policy = msgspec.structs.replace(POLICY, rules=(lenient,), scopes=scopes)
        BatchJudge(store, policy, providers.load_providers(), lambda *_: None, lambda: None).judge_customers(
            ["acme"], NOW_MS + after_ms
        )

    judged(("customer", "class"), 0)
    assert shown() == [("class:bulk", "good"), ("class:transactional", "critical"), ("customer", "good")]
    judged(("customer",), 1)
    assert shown() == [("class:transactional", "critical"), ("customer", "good")], "that alert is still to end"
    judged(("customer", "class"), 2)
    assert shown() == [("class:bulk", "good"), ("class:transactional", "critical"), ("customer", "good")]
