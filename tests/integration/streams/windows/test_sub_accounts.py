"""Sub-accounts judged by themselves: of the streams whose names begin with theirs."""

from datetime import UTC, datetime

import pytest

from schemas import policy as policies
from schemas import providers
from schemas.alert import AlertEvent
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from schemas.times import HOUR_MS
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
AT_COMCAST = Rule(
    name="comcast",
    metric="failure",
    windows=("24h",),
    min_volume=100,
    levels=Levels(excessive=0.05),
    providers=("comcast",),
)
POLICY = Policy(windows=tuple(WINDOWS), rules=(FAILURE, AT_COMCAST), scopes=("customer", "sub_account"))


@pytest.fixture(autouse=True)
def mail(store: Store) -> None:
    """`acme` has two sub-accounts and mail of its own; all mail of `beta` is of one sub-account."""
    for customer, stream, provider, hours_ago, delivered, hard in (
        ("acme", "eu/news", "yahoo", 1, 900, 0),
        ("acme", "eu/offers", "yahoo", 30, 500, 0),
        ("acme", "us/news", "comcast", 1, 100, 60),
        ("acme", "us/receipts", "yahoo", 1, 50, 40),
        ("acme", "receipts", "yahoo", 1, 4_000, 0),
        ("beta", "eu/news", "yahoo", 1, 70, 70),
        ("beta", "eu/offers", "yahoo", 1, 70, 70),
    ):
        at = datetime.fromtimestamp((NOW_MS - hours_ago * HOUR_MS) // 60_000 * 60, UTC)
        row = {"customer": customer, "stream": stream, "class": "bulk", "value": provider, "bucket": at}
        row |= {"dimension": "provider", "source": "t:x:0", "delivered": delivered, "hard": hard}
        store.insert("counts", {name: [value] for name, value in row.items()})


def test_sub_accounts_are_the_sums_of_their_streams(store: Store) -> None:
    subjects, _ = Windows.for_policy(store, POLICY, WINDOWS, [], 0, 0).read(["acme", "beta"], NOW_MS)
    found = {(each.customer, each.scope): each for each in map(subjects.one, range(len(subjects)))}
    accounts = {whose: each for whose, each in found.items() if whose[1].startswith("sub_account:")}
    assert {
        whose: {name: (counts.delivered, counts.hard) for name, counts in each.windows.items()}
        for whose, each in accounts.items()
    } == {
        ("acme", "sub_account:eu"): {"24h": (900, 0), "7d": (1_400, 0)},
        ("acme", "sub_account:us"): {"24h": (150, 100), "7d": (150, 100)},
    }
    assert found["acme", "sub_account:us"].mail_to(("comcast",))["24h"].hard == 60
    at_once = counts_at(store, "acme", WINDOWS, [], NOW_MS, include_later=True, policy=POLICY)
    assert at_once == [each for (customer, _), each in found.items() if customer == "acme"]


def test_sub_accounts_are_not_judged_where_the_policy_does_not(store: Store) -> None:
    subjects, _ = Windows.for_policy(store, policies.load_policy(), WINDOWS | {"1h": HOUR_MS}, [], 0, 0).read(
        ["acme"], NOW_MS
    )
    assert not [scope for scope in subjects.scopes if scope.startswith("sub_account:")]


def test_sub_account_has_alerts_of_its_own_with_evidence_of_its_mail(store: Store) -> None:
    sent: list[AlertEvent] = (
        BatchJudge(store, POLICY, providers.load_providers(), lambda *_: None, lambda: None)
        .judge_customers(["acme", "beta"], NOW_MS)
        .alerts
    )
    assert {(each.data.customer, each.data.scope, each.data.rule): each.data.level for each in sent} == {
        ("acme", "sub_account:us", "failure"): "critical",
        ("acme", "customer", "comcast"): "excessive",
        ("acme", "sub_account:us", "comcast"): "excessive",
        ("beta", "customer", "failure"): "critical",
    }
    us = next(each.data for each in sent if each.data.scope == "sub_account:us" and each.data.rule == "failure")
    assert us.explanation.startswith("Sub-account us: 100 of 250 recipients failed")
    assert [(each.name, each.count) for each in us.evidence.providers] == [("comcast", 60), ("yahoo", 40)]
