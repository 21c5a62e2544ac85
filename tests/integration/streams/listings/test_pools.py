"""What is listed of a pool that several customers share, against a naive count; whom it alarms."""

import random
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from api.explain.build import explain_shared
from schemas import policy, providers
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.policy_rule import Levels, Rule
from streams.listings.causes import ListingCauses
from streams.listings.pools import pool_windows
from streams.monitor.batch import BatchJudge
from tests.support.api_client import HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, Ground
from tests.support.listing_rows import said
from tests.support.pools import Sent, put

pytestmark = pytest.mark.usefixtures("standing_clock")

POLICY = msgspec.structs.replace(policy.load_policy(), scopes=("customer", "pool"))
LENGTHS = {name: window_ms(name) for name in ("1h", "24h", "7d")}
WEIGHTS = ("critical", "major", "minor", "informational")


def in_pool(ground: Ground, address: str, pool: str) -> None:
    """A bounce that names the pool of an address."""
    row = {"customer": "acme", "time": datetime.fromtimestamp(NOW - 3 * HOUR, UTC), "type": "bounced", "id": address}
    row |= {"sending_ip": address, "ip_pool": pool, "source": address, "position": 1}
    ground.store.insert("events", {name: [value] for name, value in row.items()})


def shared(ground: Ground, address: str, pool: str = "gold", back: int = 3 * HOUR, delivered: int = 900) -> None:
    """Mail of two customers through an address of a pool."""
    for customer in ("acme", "rival"):
        ground.put(Row(NOW - back, delivered=delivered, ip=address, customer=customer))
        put(ground.store, [Sent(customer, back, pool, delivered=delivered)])
    in_pool(ground, address, pool)


def judged(ground: Ground, by: Policy = POLICY) -> list[tuple[str, str, str]]:
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    judge = BatchJudge(ground.store, by, providers.load_providers(), lambda *_: None, lambda: None)
    return [(each.subject, each.data.rule, each.data.level) for each in judge.judge_pools(NOW_MS)]


def test_critical_listing_of_a_shared_address_is_the_pools_and_no_customers(ground: Ground) -> None:
    shared(ground, "192.0.2.1")
    said(ground, "listed", 2 * HOUR, weight="critical")
    assert judged(ground) == [("pool:gold", "critical_listing", "critical")]
    judge = BatchJudge(ground.store, POLICY, providers.load_providers(), lambda *_: None, lambda: None)
    alerts = judge.judge_customers(["acme", "rival"], NOW_MS).alerts
    assert "critical_listing" not in {each.data.rule for each in alerts}


def test_listing_of_an_address_that_one_customer_has_to_itself_is_no_pools(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip="192.0.2.1"))
    in_pool(ground, "192.0.2.1", "gold")
    said(ground, "listed", 2 * HOUR, weight="critical")
    assert judged(ground) == []


def test_pools_are_judged_by_listings_only_where_the_policy_judges_pools(ground: Ground) -> None:
    shared(ground, "192.0.2.1")
    said(ground, "listed", 2 * HOUR, weight="critical")
    assert judged(ground, msgspec.structs.replace(POLICY, scopes=("customer",))) == []


def test_alert_on_a_pool_names_the_listing_its_causes_and_the_pool(ground: Ground) -> None:
    shared(ground, "192.0.2.1")
    ground.put(Row(NOW - 3 * HOUR, delivered=900, complained=90, ip="192.0.2.1", customer="rival"))
    said(ground, "listed", 2 * HOUR, weight="critical")
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    judge = BatchJudge(ground.store, POLICY, providers.load_providers(), lambda *_: None, lambda: None)
    (alert,) = judge.judge_pools(NOW_MS)
    assert alert.data.evidence.listings == ("192.0.2.1 on bl.example (critical), shared by 2: rival 1.00",)
    assert alert.data.explanation.startswith(
        "All of pool gold: 1 listing on critical blocklists of its addresses that several use in 1h"
    )
    found = explain_shared(ground.store, "pool:gold", POLICY, LOOP, NOW_MS)
    assert found is not None
    (rule,) = [each for each in found.scopes[0].rules if each.metric == "critical_listing"]
    assert (rule.level, rule.listings) == ("critical", alert.data.evidence.listings)


def test_alert_on_a_pool_ends_with_the_listing(ground: Ground) -> None:
    shared(ground, "192.0.2.1", back=6 * HOUR)
    said(ground, "listed", 5 * HOUR, weight="critical")
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    judge = BatchJudge(ground.store, POLICY, providers.load_providers(), lambda *_: None, lambda: None)
    assert [each.data.level for each in judge.judge_pools(NOW_MS)] == ["critical"]
    said(ground, "delisted", 0, weight="critical")
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    later = [alert for hours in range(1, 5) for alert in judge.judge_pools(NOW_MS + hours * HOUR * 1000)]
    assert [(each.subject, each.data.kind) for each in later] == [("pool:gold", "resolved")]


def test_every_rule_about_listings_judges_pools(ground: Ground) -> None:
    shared(ground, "192.0.2.1")
    shared(ground, "192.0.2.1", back=HOUR // 2, delivered=100)
    said(ground, "listed", 2 * HOUR, weight="major")
    rules = (
        Rule(name="count", metric="listing_count", windows=("24h",), levels=Levels(watch=1)),
        Rule(name="hours", metric="listed_hours", windows=("24h",), levels=Levels(watch=2, warning=3)),
        Rule(name="minor", metric="listing_count", windows=("24h",), weights=("minor",), levels=Levels(watch=1)),
        Rule(name="mail", metric="exposure", windows=("1h", "24h"), min_volume=100, levels=Levels(watch=0.05)),
    )
    found = judged(ground, Policy(rules=rules, windows=("1h", "24h"), scopes=("pool",)))
    assert found == [("pool:gold", name, "watch") for name in ("count", "hours", "mail")]


@pytest.mark.parametrize("seed", range(3))
def test_pools_have_what_a_naive_count_says(ground: Ground, seed: int) -> None:
    dice = random.Random(seed)
    pools = {f"192.0.2.{last}": f"pool-{last % 3}" for last in range(6)}
    for address, pool in pools.items():
        shared(ground, address, pool, back=100 * HOUR)
    mail: list[tuple[int, str, int]] = [(100 * HOUR, address, 1_800) for address in pools]
    rows, sent = list[Row](), list[Sent]()
    for _ in range(60):
        back, address, many = dice.randrange(1, 90 * 60) * MINUTE, dice.choice(list(pools)), dice.randrange(1, 50)
        mail.append((back, address, many))
        rows.append(Row(NOW - back, delivered=many, ip=address))
        sent.append(Sent("acme", back, pools[address], delivered=many))
    listings: list[tuple[str, str, int, int | None]] = []
    for number, address in enumerate(dice.choices(list(pools), k=9)):
        weight, began = dice.choice(WEIGHTS), dice.randrange(2, 90 * 60) * MINUTE
        ended = dice.choice([None, began // 2 // MINUTE * MINUTE])
        listings.append((address, weight, began, ended))
        said(ground, "listed", began, resource=address, zone=f"bl{number}.example", weight=weight)
        if ended is not None:
            said(ground, "delisted", ended, resource=address, zone=f"bl{number}.example", weight=weight)
    # Long before, so that both customers are among the users of every listing's 48 hours.
    for back in range(24, 150, 24):
        for address, pool in pools.items():
            rows += [Row(NOW - back * HOUR, delivered=1, ip=address, customer=each) for each in ("rival", "acme")]
            mail.append((back * HOUR, address, 2))
            sent.append(Sent("acme", back * HOUR, pool, delivered=2))
    ground.put(*rows)
    put(ground.store, sent)
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    found = pool_windows(ground.store, LENGTHS, LENGTHS, NOW_MS)
    assert set(found) == {pools[address] for address, *_ in listings}
    for pool, windows in found.items():
        for name, length_ms in LENGTHS.items():
            length, naive = length_ms // 1000, Counter[str]()
            for address, weight, began, ended in listings:
                over = 0 if ended is None else ended
                if pools[address] == pool and (ended is None or over < length):
                    naive[f"listings_{weight}"] += 1
                    naive[f"listed_s_{weight}"] += min(began, length) - over
            for back, address, many in mail:
                if pools[address] != pool or back > length:
                    continue
                naive["sent"] += many
                naive["exposed"] += many * any(
                    on == address and weight != "informational" and back <= began and back > (ended or 0)
                    for on, weight, began, ended in listings
                )
            fields = (
                "sent",
                "exposed",
                *(f"{kind}_{weight}" for kind in ("listings", "listed_s") for weight in WEIGHTS),
            )
            assert {each: getattr(windows[name], each) for each in fields} == {each: naive[each] for each in fields}
