"""Snowshoe is seen by the default policy within a day, whatever goes through its pool; good pools are not flagged."""

import random
from collections.abc import Iterable, Iterator

import pytest

from jobs.operator.incidents import declare_incident
from schemas import policy
from schemas.alert import Unjudged
from streams.what_if.history import Extent
from streams.what_if.pools import PoolReplay
from tests.support.api_client import DAY, HOUR, NOW
from tests.support.judging import LOOP, NOW_MS, Ground, mild_policy
from tests.support.pools import Sent, put

pytestmark = pytest.mark.usefixtures("standing_clock")

DEFAULT = policy.load_policy()
SHOES = [f"shoe-{number:02}" for number in range(30)]


def day(
    who: Iterable[str], count: int, bad: float, chance: random.Random, back: int = 2 * HOUR, **fields: str
) -> Iterator[Sent]:
    """A day's mail of each of them, of which so much is unknown."""
    for each in who:
        hard = sum(chance.random() < bad for _ in range(count))
        yield Sent(each, back=back, delivered=count - hard, hard=hard, **fields)  # type: ignore[arg-type]


def flagged(ground: Ground, now_ms: int = NOW_MS) -> dict[str, str]:
    """Scope and level of what the default policy says of pools and From domains."""
    judge = ground.judge()
    judge.judge_pools(now_ms)
    assert {each.data.customer for each in ground.sent} <= {""}, "nobody is accused"
    return {each.subject: each.data.level for each in ground.sent}


def test_thirty_accounts_of_twelve_recipients_a_day_on_one_pool(ground: Ground) -> None:
    put(ground.store, day(SHOES, 12, 0.15, random.Random(1)))
    assert flagged(ground) == {"pool:shared-1": "critical"}


def test_what_of_a_pool_is_not_counted_is_said(ground: Ground) -> None:
    """The whole hour of an incident: of a pool nobody knows which provider its mail of the hour went to."""
    put(
        ground.store,
        [*day(SHOES, 12, 0.15, random.Random(1)), *(Sent(each, 5 * HOUR, delivered=1, hard=9) for each in SHOES)],
    )
    at_ms = NOW_MS - 5 * HOUR * 1000
    incident = declare_incident(
        ground.store, "gmail", at_ms, at_ms + 1, providers=["gmail"], by="Ida", why="their status page", now_ms=NOW_MS
    )
    judge = ground.judge()
    judge.refresh_incidents(NOW_MS)
    judge.judge_pools(NOW_MS)
    (alert,) = ground.sent
    assert (alert.subject, alert.data.denominator) == ("pool:shared-1", 360)
    assert alert.data.evidence.left_out == (Unjudged(reason="incident", count=270, volume=300, incident=incident.id),)
    assert "Not counted: 270 of 300 in hours in which an incident hit many senders." in alert.data.explanation


def test_thirty_accounts_on_pools_of_their_own_but_one_from_domain(ground: Ground) -> None:
    chance = random.Random(2)
    put(
        ground.store,
        (
            row
            for number, each in enumerate(SHOES)
            for row in day([each], 12, 0.15, chance, pool=f"pool-{number}", from_domain="offers.example")
        ),
    )
    assert flagged(ground) == {"from:offers.example": "critical"}


@pytest.mark.parametrize(("size", "bad"), [(12, 0.15), (90, 0.12), (250, 0.06)])
def test_good_senders_of_long_standing_hide_nothing_and_are_not_named(ground: Ground, size: int, bad: float) -> None:
    """200 of them share the pool, with many times the mail."""
    chance = random.Random(size)
    good = [f"good-{number:03}" for number in range(200)]
    put(ground.store, (row for back in range(20) for row in day(good, 60, 0.005, chance, 2 * HOUR + back * DAY)))
    put(ground.store, day(SHOES, size, bad, chance))
    found = flagged(ground)
    assert set(found) == {"pool:shared-1"}
    (alert,) = (each for each in ground.sent if each.data.rule == "failure")
    named = [each.name for each in alert.data.evidence.customers]
    assert len(named) == 10
    assert set(named) <= set(SHOES)


def test_who_is_good_by_a_milder_policy_is_not_taken_for_new(ground: Ground) -> None:
    """The 200 fail at 5 %, which a policy that warns at 8 % calls good: they do not hide 30 new accounts at 13 %."""
    chance, mild = random.Random(7), mild_policy()
    good = [f"good-{number:03}" for number in range(200)]
    put(ground.store, (row for back in range(20) for row in day(good, 40, 0.05, chance, 2 * HOUR + back * DAY)))
    put(ground.store, day(SHOES, 130, 0.13, chance))
    judge = ground.judge()
    judge.set_policy(mild)
    judge.judge_pools(NOW_MS)
    assert {each.subject for each in ground.sent} == {"pool:shared-1"}
    extent = Extent.of((mild,), (NOW - HOUR) * 1000, NOW_MS)
    (replayed,) = PoolReplay(ground.store, extent, (mild,), LOOP).transitions()
    assert {each.scope for each in replayed} == {"pool:shared-1"}


def test_complaints_of_accounts_that_are_each_too_few_to_tell(ground: Ground) -> None:
    """Of 600 deliveries 3 complaints are nothing yet; of 18,000 they are."""
    put(ground.store, (Sent(each, delivered=600, complained=3) for each in SHOES))
    judge = ground.judge()
    judge.judge_customers(SHOES, NOW_MS)
    assert ground.sent == []
    assert flagged(ground) == {"pool:shared-1": "excessive"}


def test_one_bad_customer_among_small_ones_is_no_snowshoe(ground: Ground) -> None:
    chance = random.Random(3)
    fine = [f"fine-{number:02}" for number in range(20)]
    put(ground.store, [*day(fine, 20, 0.005, chance), *day(["bad"], 90, 0.8, chance)])
    assert flagged(ground) == {}


def test_large_bad_customer_is_judged_alone(ground: Ground) -> None:
    chance = random.Random(4)
    fine = [f"fine-{number:02}" for number in range(20)]
    put(ground.store, [*day(fine, 20, 0.005, chance), *day(["bad", "worse"], 400, 0.3, chance)])
    ground.judge().judge_customers([*fine, "bad", "worse"], NOW_MS)
    assert {each.data.customer for each in ground.sent} == {"bad", "worse"}
    ground.sent.clear()
    assert flagged(ground) == {}


def test_pool_of_200_good_small_senders_is_not_flagged_for_a_month(ground: Ground) -> None:
    """Half the mildest threshold each, from the day that they are new."""
    chance = random.Random(5)
    good = [f"good-{number:03}" for number in range(200)]
    for back in range(30, -1, -1):
        mail = list(day(good, 15, 0.015, chance, 2 * HOUR + back * DAY, from_domain="shared.example"))
        put(ground.store, (each._replace(complained=int(chance.random() < 0.0005 * 15)) for each in mail))
    judge = ground.judge()
    for back in range(30, -1, -2):
        judge.judge_pools((NOW - back * DAY) * 1000)
    assert [(each.subject, each.data.rule) for each in ground.sent] == []
