"""A batch of customers costs the same few queries, however many they are and whatever the policy judges them by."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from jobs.operator.customers import store_list
from schemas import providers
from schemas.customer import Customer
from schemas.policy import Brake, Policy
from schemas.policy_metric import BURNS, COUNTED, REPORTED_SPAM, SPIKE, Metric
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from streams.alerts.evidence import AT_ONCE
from streams.alerts.evidence_queries import CONTRIBUTORS, EVENTS, UNWANTED_IDS
from streams.io.store import Store
from streams.listings.causes import ListingCauses
from streams.monitor.batch import BatchJudge
from tests.support.api_client import DAY, HOUR, MINUTE, NOW
from tests.support.judging import NOW_MS, Counting, Ground

pytestmark = pytest.mark.usefixtures("standing_clock")

FEW, MANY = 2, 40
#: How the queries begin that are asked of so many alerts at a time (`AT_ONCE`).
IN_PORTIONS = tuple(sql[:80] for sql in (CONTRIBUTORS, EVENTS, UNWANTED_IDS))
NAMES = [f"customer{number:02}" for number in range(FEW + MANY)]


def rule(metric: Metric) -> Rule:
    """One that everybody below breaks."""
    fields: dict[str, Any] = {"windows": ("24h", "7d"), "levels": Levels(watch=0.0001, excessive=0.0002)}
    if metric == REPORTED_SPAM:
        fields["windows"] = ("7d",)
    if metric in COUNTED:
        fields = {"windows": ("24h",), "levels": Levels(watch=1)}
    if metric in BURNS:
        fields = {"windows": ("5m", "1h"), "levels": Levels(watch=1), "allowance": 0.001, "period": "30d"}
    if metric == SPIKE:
        fields = {"windows": ("1h",), "levels": Levels(watch=2)}
    return Rule(name=metric, metric=metric, **fields)


EVERYTHING = Policy(
    rules=(
        *(rule(metric) for metric in get_args(Metric)),
        Rule(
            name="yahoo_alone",
            metric="failure",
            windows=("24h",),
            levels=Levels(watch=0.001),
            providers=("yahoo",),
        ),
    ),
    windows=("5m", "1h", "24h", "7d", "30d"),
    scopes=("customer", "stream", "sub_account", "class"),
    brake=Brake(customers=1_000),  # holding costs some more, once
    overrides=tuple(
        Override(customer=name, stream="eu/news", rule="block", reason="agreed", levels=Levels(watch=0.0005))
        for name in NAMES
    ),
)
NOTHING_OF_IT = Policy(rules=(Rule(name="other", metric="block", windows=("24h",), levels=Levels(critical=1)),))


@pytest.fixture
def ground(store: Store) -> Ground:
    """Everybody fails, is complained of, listed, and sends what it should not, more than ever before. Nobody has enough
    history to be believed that it is an incident."""
    backs = [MINUTE, *(hours * HOUR for hours in (*range(25, 265, 24), 793))]
    insert(
        store,
        "counts",
        [
            {
                "customer": name,
                "stream": stream,
                "class": stream_class,
                "dimension": dimension,
                "value": value if dimension != "from" or back > DAY else f"new.{value}",
                "bucket": at(back // MINUTE * MINUTE),
                "source": "batch",
                **dict.fromkeys(("hard", "block", "complained", "unsubscribed"), 0 if back > DAY else 40),
                "delivered": 4 if back > DAY else 400,
            }
            for number, name in enumerate(NAMES)
            for stream, stream_class in (("eu/news", "bulk"), ("receipts", "transactional"))
            for back in backs
            for dimension, value in (
                ("provider", "yahoo"),
                ("provider", "sms_gateway"),
                ("ip", f"192.0.2.{number}"),
                ("from", f"{name}.example"),
            )
        ],
    )
    listing = {"kind": "ip", "zone": "bl.example", "type": "listed", "weight": "critical", "confirmed": True}
    insert(
        store,
        "listing_events",
        [
            {"resource": f"192.0.2.{number}", "id": name, "time": at(3 * HOUR), **listing}
            for number, name in enumerate(NAMES)
        ],
    )
    unwanted = {"stream": "eu/news", "time": at(2 * MINUTE)}
    mails = [
        {"customer": name, "id": f"{name}{nth}", "message_id": name, **unwanted} for name in NAMES for nth in range(9)
    ]
    insert(store, "unwanted_mail", mails)
    report = {"source": "postmaster", "day": at(2 * DAY).date(), "measure": "spam_rate", "rate": 0.004}
    insert(
        store,
        "provider_reports",
        [{"resource": f"{name}.example", "customer": name, "updated": at(DAY), **report} for name in NAMES],
    )
    registered = [Customer(customer=name, plan="", domains=("elsewhere.example",)) for name in NAMES]
    store_list(store, registered, whole=False, by="Ida", why="", now_ms=NOW_MS)
    ListingCauses(store, {}).refresh(NOW_MS)
    return Ground(store)


def at(back: int) -> datetime:
    return datetime.fromtimestamp(NOW - back, UTC)


def insert(store: Store, table: str, rows: list[dict[str, Any]]) -> None:
    store.insert(table, {name: [row[name] for row in rows] for name in rows[0]})


def test_batch_that_alarms_by_every_metric_costs_no_more_queries_for_many_customers(ground: Ground) -> None:
    """As many as for few: each is one for all metrics, windows and customers, but for what is asked in portions."""
    asked: dict[str, list[int]] = {"opened": [], "resolved": []}
    for some in (NAMES[:FEW], NAMES[FEW:]):
        for kind, policy in (("opened", EVERYTHING), ("resolved", NOTHING_OF_IT)):
            store = Counting(ground.store)
            judge = BatchJudge(store, policy, providers.load_providers(), lambda *_: None, lambda: None)
            alerts = judge.judge_customers(some, NOW_MS).alerts
            asked[kind].append(sum(not sql.startswith(IN_PORTIONS) for sql in store.asked))
            assert {alert.data.kind for alert in alerts} == {kind}
            for begins in IN_PORTIONS:
                portions = sum(sql.startswith(begins) for sql in store.asked)
                assert (kind == "opened") <= portions <= -(-len(alerts) // AT_ONCE), begins
            rules = {(alert.data.customer, alert.data.rule) for alert in alerts}
            assert rules >= {(name, each.name) for name in some for each in EVERYTHING.rules}, (
                "a test that could not fail"
            )
    assert asked["opened"][0] == asked["opened"][1]
    assert asked["resolved"][0] == asked["resolved"][1]
