"""An address of a shared pool that one customer happened to use alone: whose its listing is."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from streams.listings.causes import ListingCauses, about, stored_causes
from tests.support.api_client import DAY, HOUR, MINUTE, NOW, Row
from tests.support.fleet import accused
from tests.support.judging import NOW_MS, Ground
from tests.support.listing_rows import said

pytestmark = pytest.mark.usefixtures("standing_clock")

_ids = itertools.count()
#: The addresses of the pool: of IPv4 and of one link of IPv6.
IPV4 = ("198.18.1.7", "198.19.9.8", "198.18.77.3", "198.19.4.4")
IPV6 = ("2001:db8:0:1::7", "2001:db8:0:1::8", "2001:db8:0:1::9", "2001:db8:0:1::a")
GOOD, BAD = {"delivered": 197, "hard": 1}, {"delivered": 480, "hard": 120}


def sent(
    ground: Ground,
    customer: str,
    address: str,
    counts: Mapping[str, int] = GOOD,
    pool: str = "shared",
    back: Sequence[int] = (2 * HOUR, 4 * DAY),
    *,
    named: bool = False,
) -> None:
    """Mail so long ago each; an event names the address and its pool where one did."""
    for each in back:
        ground.put(Row(NOW - each, counts["delivered"], counts["hard"], ip=address, customer=customer))
        at = datetime.fromtimestamp((NOW - each) // MINUTE * MINUTE, UTC)
        row: dict[str, object] = {"dimension": "pool", "value": pool, "customer": customer, "stream": "news", **counts}
        row |= {"bucket": at, "source": f"pool{next(_ids)}"}
        ground.store.insert("counts", {name: [value] for name, value in row.items()})
        if named:
            event = {"customer": customer, "time": at, "type": "bounced", "id": f"b{next(_ids)}", "sending_ip": address}
            event |= {"ip_pool": pool, "source": "s", "position": 1}
            ground.store.insert("events", {name: [value] for name, value in event.items()})


def shared(ground: Ground, addresses: Sequence[str]) -> None:
    """Others sent through them, too, three weeks ago."""
    for each in addresses:
        sent(ground, "former", each, back=(20 * DAY,))


def listed(ground: Ground, addresses: Sequence[str], back: int = 10 * MINUTE, zone: str = "zen.example") -> None:
    for each in addresses:
        said(ground, "listed", back, resource=each, zone=zone, weight="critical")


def judged(ground: Ground, *customers: str) -> set[str]:
    """Who of them is accused."""
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    judge = ground.judge()
    for second in (0, 20):
        judge.judge_customers(customers, NOW_MS + second * 1000)
    return accused(ground)


@pytest.mark.parametrize("addresses", [IPV4, IPV6], ids=["IPv4", "one link of IPv6"])
def test_pool_that_an_abuser_brought_on_a_list_is_the_abusers_matter(ground: Ground, addresses: Sequence[str]) -> None:
    for each in addresses[:3]:
        sent(ground, "good", each)
    sent(ground, "abuser", addresses[3], BAD, back=(2 * HOUR,))
    shared(ground, addresses)
    listed(ground, addresses)
    assert "good" not in judged(ground, "abuser", "good")
    found = {each.resource: each for each in stored_causes(ground.store, 0)}
    assert {(each.pool, each.attributed, each.top) for name, each in found.items() if name != addresses[3]} == {
        ("shared", "shared", ("abuser", 1.0))
    }
    assert "shared by 2, this customer's share of the causes 0.00" in about(found[addresses[0]], "good")


@pytest.mark.parametrize("named", [False, True])
def test_pool_of_two_addresses_where_nobody_stands_out_is_held_against_the_pool(ground: Ground, *, named: bool) -> None:
    sent(ground, "one", IPV4[0], named=named)
    sent(ground, "two", IPV4[1], named=named)
    shared(ground, IPV4[:2])
    listed(ground, IPV4[:2])
    assert judged(ground, "one", "two") == set()
    assert [(each.pool, each.attributed, each.top) for each in stored_causes(ground.store, 0)] == [
        ("shared", "shared", None)
    ] * 2


@pytest.mark.parametrize("zones", [("a.example", "a.example"), ("a.example", "b.example")])
def test_one_after_another_while_an_abuser_sends_is_no_own_listing_either(
    ground: Ground, zones: tuple[str, str]
) -> None:
    """Whatever list names them, and hours apart."""
    sent(ground, "good", IPV4[0])
    sent(ground, "abuser", IPV4[1], BAD, back=(7 * HOUR,))
    shared(ground, IPV4)
    listed(ground, IPV4[:1], 6 * HOUR, zones[0])
    assert "good" not in judged(ground, "good", "abuser")
    listed(ground, IPV4[1:2], MINUTE, zones[1])
    assert judged(ground, "good", "abuser") >= {"abuser"}
    assert "good" not in accused(ground)


def test_single_address_of_a_pool_in_which_nobody_is_bad_is_its_users_own(ground: Ground) -> None:
    sent(ground, "alone", IPV4[0])
    sent(ground, "other", IPV4[1])
    shared(ground, IPV4)
    listed(ground, IPV4[:1])
    assert judged(ground, "alone", "other") == {"alone"}


def test_address_of_a_pool_of_ones_own_beside_one_of_a_shared_pool_is_its_own(ground: Ground) -> None:
    """Named in the same scan, in the same network."""
    sent(ground, "own", "198.18.1.9", pool="own-pool")
    sent(ground, "good", IPV4[0])
    sent(ground, "abuser", IPV4[1], BAD, back=(2 * HOUR,))
    shared(ground, IPV4)
    listed(ground, ["198.18.1.9", *IPV4[:2]])
    assert judged(ground, "own", "good", "abuser") - {"abuser"} <= {"own"}
    found = {each.resource: each for each in stored_causes(ground.store, 0)}
    assert found["198.18.1.9"].attributed == "dedicated"


@pytest.mark.parametrize("dedicated", [False, True])
def test_addresses_of_one_customer_each_are_their_own_in_a_pool_of_one_name(ground: Ground, *, dedicated: bool) -> None:
    """A pool is often named `dedicated`; both are named at once, and both mail well."""
    sent(ground, "one", IPV4[0])
    sent(ground, "two", IPV4[1])
    if not dedicated:
        shared(ground, IPV4[:2])
    listed(ground, IPV4[:2])
    assert judged(ground, "one", "two") == ({"one", "two"} if dedicated else set())


@pytest.mark.parametrize(("other_pool", "accuses"), [("shared", set()), ("dedicated", {"good"})])
def test_who_shares_other_addresses_of_its_only_pool_shares_all_of_it(
    ground: Ground, other_pool: str, accuses: set[str]
) -> None:
    """It used the listed one alone all the time, by chance; unless it is of another pool than those that it shares."""
    sent(ground, "good", IPV4[0], pool=other_pool, named=True)
    sent(ground, "good", IPV4[3], back=(DAY, 20 * DAY))
    sent(ground, "abuser", IPV4[1], BAD, pool=other_pool, named=True)
    shared(ground, IPV4[3:])
    listed(ground, IPV4[:2])
    assert judged(ground, "good", "abuser") - {"abuser"} == accuses


@pytest.mark.parametrize(
    ("counts", "back"),
    [
        pytest.param({"delivered": 300, "hard": 2}, (2 * HOUR,), id="no history"),
        pytest.param({"delivered": 170, "hard": 30}, (2 * HOUR, 4 * DAY), id="bad mail of late"),
    ],
)
def test_accounts_of_an_abuser_do_not_excuse_each_other(
    ground: Ground, counts: dict[str, int], back: tuple[int, ...]
) -> None:
    """Each with an address of its own in the same pool, all named at once; others have sent for long."""
    for old in ("old0", "old1", "old2"):
        sent(ground, old, IPV4[3])
    for place, address in enumerate(IPV4[:3]):
        sent(ground, f"abuser{place}", address, counts, back=back)
    shared(ground, IPV4)
    listed(ground, IPV4[:3])
    assert judged(ground, "old0", "abuser0", "abuser1", "abuser2") == {"abuser0", "abuser1", "abuser2"}
