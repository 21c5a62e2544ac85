"""Lists that name many addresses at once: nobody is accused by it, and who is listed elsewhere still is."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.operator.incidents import dismiss_incident
from schemas.alert import Unjudged
from schemas.incident import IncidentEvent
from schemas.policy import load_policy
from streams.incidents.mass_listing import WHY_FEW
from streams.incidents.stored import read_incidents
from streams.incidents.watch import IncidentWatch
from streams.monitor.batch import BatchJudge
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.fleet import accused
from tests.support.judging import NOW_MS, Ground, mild_policy

pytestmark = pytest.mark.usefixtures("standing_clock")

ZEN, OTHER = "zen.spamhaus.org", "bl.example"
_ids = itertools.count()


def address(number: int) -> str:
    """Of the n-th customer; no two of one network."""
    return f"198.{18 + number // 250}.{number % 250}.7"


def fleet(count: int, days: Sequence[int] = (0, 3, 9)) -> list[str]:
    return [f"c{number:05}" for number in range(count)]


def put_mail(
    ground: Ground, customers: Sequence[str], addresses: Sequence[str], days: Sequence[int] = (0, 3, 9)
) -> None:
    """Each customer sends through its address, on these days before today."""
    ground.put(
        *(
            Row(NOW - 2 * HOUR - day * DAY, delivered=100, hard=1, ip=ip, customer=who)
            for who, ip in zip(customers, addresses, strict=True)
            for day in days
        )
    )


def listed(ground: Ground, addresses: Sequence[str], back: int, zone: str = ZEN, *, confirmed: bool = True) -> None:
    count = len(addresses)
    columns: dict[str, list[Any]] = {
        "resource": list(addresses),
        "kind": ["ip"] * count,
        "zone": [zone] * count,
        "weight": ["critical"] * count,
        "type": ["listed"] * count,
        "confirmed": [confirmed] * count,
        "time": [datetime.fromtimestamp(NOW - back, UTC)] * count,
        "id": [f"mass{next(_ids)}" for _ in addresses],
    }
    ground.store.insert("listing_events", columns)


def levels(ground: Ground) -> dict[str, str]:
    """The level of each customer whose alert was sent, as it is now."""
    return {each.data.customer: each.data.level for each in ground.sent}


def settle(judge: BatchJudge, customers: Sequence[str], now_ms: int) -> None:
    """Judge, and judge again who is to be within a few seconds."""
    for second in range(0, 10, 2):
        at_ms = now_ms + second * 1000
        customers = [each for each, due_ms in judge.judge_customers(customers, at_ms).again if due_ms <= at_ms + 5_000]
        if not customers:
            return


@pytest.mark.parametrize(("struck", "of"), [(30, 100), (4, 10)])
@pytest.mark.parametrize("days", [(0, 3, 9), (0,)], ids=["with a history", "on the first day"])
@pytest.mark.parametrize("confirmed", [True, False])
def test_list_that_names_many_accuses_nobody(
    ground: Ground, struck: int, of: int, days: Sequence[int], *, confirmed: bool
) -> None:
    customers = fleet(of)
    put_mail(ground, customers, [address(number) for number in range(of)], days)
    listed(ground, [address(number) for number in range(struck)], MINUTE, confirmed=confirmed)
    judge = ground.judge()
    settle(judge, customers, NOW_MS)
    assert accused(ground) == set()
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.dimension, incident.value, incident.outcome) == ("listing", ZEN, "listed")
    assert (incident.struck, incident.spared, incident.state) == (struck, of - struck, "detected")
    assert (incident.examples[0].customer, incident.examples[0].sample) == ("c00000", address(0))
    # It still is nobody's days later, and no second incident.
    for later in (2 * HOUR, 3 * DAY):
        judge.refresh_incidents(NOW_MS + later * 1000)
        settle(judge, customers, NOW_MS + later * 1000)
    assert accused(ground) == set()
    (incident,) = read_incidents(ground.store).in_force()
    assert not incident.open


def test_two_of_a_small_fleet_whom_a_list_names_at_once_are_held(ground: Ground) -> None:
    """Three addresses of two customers who have nothing in common: whether the list errs, nobody can tell. Who decides
    that it does not is obeyed."""
    customers, addresses = fleet(8), [address(number) for number in range(9)]
    put_mail(ground, [*customers, customers[0]], addresses)
    listed(ground, [addresses[0], addresses[1], addresses[8]], MINUTE)
    judge = ground.judge()
    settle(judge, customers, NOW_MS)
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.dimension, incident.value, incident.state) == ("listing", ZEN, "suspected")
    assert (incident.struck, incident.spared, incident.why) == (2, 6, WHY_FEW)
    assert {each.data.customer: each.data.held and each.data.held.id for each in ground.sent} == {
        customers[0]: incident.id,
        customers[1]: incident.id,
    }
    assert levels(ground) == dict.fromkeys(customers[:2], "critical")
    ground.sent.clear()
    later_ms = NOW_MS + 5 * MINUTE * 1000
    dismiss_incident(ground.store, incident.id, by="Ida", why="both are spam traps", now_ms=later_ms)
    settle(judge, customers, later_ms)
    assert {(each.data.customer, each.data.kind, each.data.held) for each in ground.sent} == {
        (each, "confirmed", None) for each in customers[:2]
    }


def test_third_who_is_listed_makes_an_incident_of_what_was_suspected(ground: Ground) -> None:
    customers = fleet(9)
    put_mail(ground, [*customers, customers[0]], [address(number) for number in range(10)])
    listed(ground, [address(0), address(1), address(9)], MINUTE)
    judge = ground.judge()
    settle(judge, customers, NOW_MS)
    later_ms = NOW_MS + 10 * MINUTE * 1000
    listed(ground, [address(2)], -9 * MINUTE)
    judge.refresh_incidents(later_ms)
    settle(judge, customers, later_ms)
    assert [(each.state, each.struck) for each in read_incidents(ground.store).in_force()] == [("detected", 3)]
    assert set(levels(ground).values()) <= {"good"}


def test_two_of_a_larger_fleet_are_each_its_own_matter(ground: Ground) -> None:
    customers = fleet(20)
    put_mail(ground, [*customers, customers[0]], [address(number) for number in range(21)])
    listed(ground, [address(0), address(1), address(20)], MINUTE)
    settle(ground.judge(), customers, NOW_MS)
    assert accused(ground) == set(customers[:2])
    assert read_incidents(ground.store).in_force() == []


def test_those_are_asked_who_are_good_by_the_policy_in_force(ground: Ground) -> None:
    """Nine of whom 6 % fail: by the default policy they are bad, and nobody can tell; not by one that warns at 8 %."""
    customers, addresses = fleet(9), [address(number) for number in range(9)]
    ground.put(
        *(
            Row(NOW - 2 * HOUR - day * DAY, delivered=94, hard=6, ip=ip, customer=who)
            for who, ip in zip(customers, addresses, strict=True)
            for day in (0, 3, 9)
        )
    )
    listed(ground, addresses[:5], MINUTE)
    watch = IncidentWatch(ground.store)
    watch.set_policy(load_policy())
    watch.refresh(NOW_MS)
    assert read_incidents(ground.store).in_force() == []
    watch.set_policy(mild_policy())
    watch.refresh(NOW_MS + MINUTE * 1000)
    assert [each.struck for each in read_incidents(ground.store).in_force()] == [5]


def test_one_event_begins_it_and_one_ends_it(ground: Ground) -> None:
    customers = fleet(100)
    put_mail(ground, customers, [address(number) for number in range(100)])
    listed(ground, [address(number) for number in range(30)], MINUTE)
    told: list[IncidentEvent] = []
    watch = IncidentWatch(ground.store, told.extend)
    for minute in range(0, 120, 5):
        watch.refresh(NOW_MS + minute * MINUTE * 1000)
    assert [each.type for each in told] == ["org.repmon.incident.began.v1", "org.repmon.incident.ended.v1"]
    assert told[0].data.struck == 30


def test_own_addresses_of_one_customer_are_its_own_matter(ground: Ground) -> None:
    """Two dedicated ones in a small fleet, and a whole /28 of another."""
    customers = fleet(10)
    put_mail(ground, customers, [address(number) for number in range(10)])
    block = [f"203.0.113.{16 + number}" for number in range(14)]
    put_mail(ground, ["acme"] * 14, block)
    put_mail(ground, ["duo"] * 2, ["203.0.113.200", "203.0.113.201"])
    listed(ground, [*block, "203.0.113.200", "203.0.113.201"], MINUTE)
    settle(ground.judge(), [*customers, "acme", "duo"], NOW_MS)
    assert accused(ground) == {"acme", "duo"}
    assert read_incidents(ground.store).in_force() == []


def test_new_accounts_of_an_abuser_are_no_incident(ground: Ground) -> None:
    customers, new = fleet(10), [f"new{number:02}" for number in range(20)]
    put_mail(ground, customers, [address(number) for number in range(10)])
    put_mail(ground, new, [address(100 + number) for number in range(20)], days=(0,))
    listed(ground, [address(100 + number) for number in range(20)], MINUTE)
    settle(ground.judge(), [*customers, *new], NOW_MS)
    assert accused(ground) == set(new)


def test_who_is_listed_elsewhere_in_the_same_hour_is_still_found(ground: Ground) -> None:
    customers = fleet(40)
    put_mail(ground, customers, [address(number) for number in range(40)])
    listed(ground, [address(number) for number in range(20)], MINUTE)
    listed(ground, [address(3), address(30)], MINUTE, OTHER)
    settle(ground.judge(), customers, NOW_MS)
    assert accused(ground) == {"c00003", "c00030"}
    (incident,) = read_incidents(ground.store).in_force()
    told = {each.data.customer: each.data for each in ground.sent}
    not_counted = Unjudged(reason="incident", count=1, zone=ZEN, incident=incident.id)
    assert [told[who].evidence.left_out for who in ("c00003", "c00030")] == [(not_counted,), ()]
    assert f"Not counted: 1 listing on {ZEN}, where many began at once." in told["c00003"].explanation
    assert "Not counted" not in told["c00030"].explanation


def test_many_of_one_network_are_an_incident_of_the_network(ground: Ground) -> None:
    """12 neighbours in a fleet of 100; one far away, on the same list, is its own matter."""
    customers = fleet(100)
    addresses = [f"192.0.2.{number + 1}" if number < 40 else address(number) for number in range(100)]
    put_mail(ground, customers, addresses)
    listed(ground, [*addresses[:12], addresses[99]], MINUTE)
    settle(ground.judge(), customers, NOW_MS)
    assert accused(ground) == {"c00099"}
    (incident,) = read_incidents(ground.store).in_force()
    assert (incident.value, incident.struck, incident.spared) == (f"192.0.2.0/24@{ZEN}", 12, 28)


def test_who_was_flagged_before_the_others_were_listed_is_released(ground: Ground) -> None:
    """Listings trickle in over the scans of an hour."""
    customers = fleet(20)
    put_mail(ground, customers, [address(number) for number in range(20)])
    judge = ground.judge()
    listed(ground, [address(0), address(1)], 40 * MINUTE)
    settle(judge, customers, NOW_MS - 39 * MINUTE * 1000)
    assert accused(ground) == {"c00000", "c00001"}
    listed(ground, [address(2), address(3)], 20 * MINUTE)
    settle(judge, customers, NOW_MS - 19 * MINUTE * 1000)
    assert accused(ground) == {"c00000", "c00001"}
    last = {each.data.customer: each.data for each in ground.sent}
    assert {(each.kind, each.cause, each.level) for each in last.values()} == {("resolved", "incident", "good")}
    assert ", without the listings of an incident that hit many senders; resolved" in last["c00000"].explanation


def test_nobody_is_accused_while_the_listings_of_one_scan_are_still_coming_in(ground: Ground) -> None:
    """They come through several partitions, and customers are judged between."""
    customers = fleet(10)
    put_mail(ground, customers, [address(number) for number in range(10)])
    judge = ground.judge()
    due: dict[str, int] = {}
    for number in range(4):
        listed(ground, [address(number)], 10)
        at_ms = NOW_MS + number * 400
        due |= dict(judge.judge_customers([customers[number]], at_ms).again)
    for customer, at_ms in sorted(due.items(), key=lambda each: each[1]):
        judge.judge_customers([customer], max(at_ms, NOW_MS + 2_000))
    judge.refresh_incidents(NOW_MS + 30_000)
    assert ground.sent == []
    assert [each.struck for each in read_incidents(ground.store).in_force()] == [4]


def test_listings_that_keep_coming_hold_nobody_back_for_long(ground: Ground) -> None:
    customers = fleet(2)
    put_mail(ground, customers, [address(number) for number in range(2)])
    judge = ground.judge()
    for second in range(16):
        listed(ground, [f"203.0.113.{second}"], 10 - second, OTHER)
        listed(ground, [address(0)] if not second else [], 10)
        judge.judge_customers([customers[0]], NOW_MS + second * 1000)
    assert accused(ground) == {customers[0]}


def test_listings_of_an_incident_that_is_dismissed_count_at_once(ground: Ground) -> None:
    customers = fleet(20)
    put_mail(ground, customers, [address(number) for number in range(20)])
    listed(ground, [address(number) for number in range(6)], MINUTE)
    judge = ground.judge()
    settle(judge, customers, NOW_MS)
    (incident,) = read_incidents(ground.store).in_force()
    later_ms = NOW_MS + 5 * MINUTE * 1000
    dismiss_incident(ground.store, incident.id, by="Ida", why="all are snowshoe", now_ms=later_ms)
    again = judge.refresh_incidents(later_ms)
    assert again == set(customers[:6])
    settle(judge, sorted(again), later_ms)
    assert levels(ground) == dict.fromkeys(customers[:6], "critical")
