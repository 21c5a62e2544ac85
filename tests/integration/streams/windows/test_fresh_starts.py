"""After a fresh start every reading of windows says what it would of a store that holds only mail sent since."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jobs.operator.customers import store_list
from jobs.operator.fresh_starts import give_fresh_start
from schemas.counts import WindowCounts
from schemas.customer import Customer
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.policy_rule import Levels, Rule
from streams.io.store import Store
from streams.subjects.arrays import BEFORE, FIELD_INDEX, Subjects
from streams.windows.baselines import read_baselines
from streams.windows.current import Windows
from streams.windows.past import counts_at
from streams.windows.pools import Pools
from tests.support.api_client import DAY, HOUR, MINUTE, NOW
from tests.support.evidence import collect
from tests.support.judging import LOOP, NOW_MS, Ground
from tests.support.rich_history import Mail, random_mail, store_mail

pytestmark = pytest.mark.usefixtures("standing_clock")

GROUP = ("gmail", "microsoft")
#: One rule for each thing that may be read.
POLICY = Policy(
    rules=(
        *(
            Rule(name=metric, metric=metric, windows=("1h", "24h", "7d"), min_volume=50, levels=Levels(watch=0.01))
            for metric in ("complaint", "failure", "block", "exposure", "unsubscribe")
        ),
        *(
            Rule(name=metric, metric=metric, windows=("24h", "7d"), min_volume=50, levels=Levels(watch=0.01))
            for metric in ("unwanted", "sms_gateway", "unregistered_from")
        ),
        Rule(name="to_some", metric="failure", windows=("24h",), levels=Levels(watch=0.01), providers=GROUP),
        Rule(name="spike", metric="volume_spike", windows=("1h",), min_volume=1, levels=Levels(watch=6)),
    ),
    windows=("1h", "24h", "7d"),
    scopes=("customer", "stream", "class", "sub_account", "pool", "from"),
)
WINDOWS = {name: window_ms(name) for name in POLICY.windows}


def given(store: Store, customer: str, back: int) -> int:
    """Give a customer a fresh start so many seconds ago; from which second on it counts."""
    return give_fresh_start(store, customer, by="Ida", why="list mended", now_ms=NOW_MS - back * 1000).since_s


def twins(store: Store, seed: int, back: int, *, undated: bool = False) -> None:
    """Mail of `acme`, which has a fresh start, and of `twin`, which sent only what acme did after that."""
    since_s = given(store, "acme", back)
    mail = random_mail(seed, ["acme"], 300, 12 * DAY, undated=undated)
    # Around the fresh start minutes decide.
    mail += [each._replace(at=since_s + place * MINUTE) for place, each in enumerate(mail[:9], -4)]
    store_mail(store, mail)
    store_mail(store, [each._replace(customer="twin") for each in mail if each.at >= since_s])
    unwanted = [(each.customer, each.stream, each.at) for each in mail[::4]]
    unwanted += [("twin", stream, at) for _, stream, at in unwanted if at >= since_s]
    columns: dict[str, list[Any]] = {
        "customer": [customer for customer, _, _ in unwanted],
        "stream": [stream for _, stream, _ in unwanted],
        "time": [datetime.fromtimestamp(at, UTC) for _, _, at in unwanted],
        "id": [f"{at}" for _, _, at in unwanted],
    }
    store.insert("unwanted_mail", columns)
    registered = [Customer(customer=name, plan="", domains=("a.acme.example",)) for name in ("acme", "twin")]
    store_list(store, registered, whole=False, by="Ida", why="", now_ms=NOW_MS)


def by_scope(found: Subjects, customer: str) -> dict[str, Any]:
    """All counts of a customer's subjects that have any; mail from before the fresh start is for undated outcomes."""
    rows = {}
    for row, (whose, scope) in enumerate(zip(found.customers, found.scopes, strict=True)):
        counts = [found.counts[row], *(each[row] for each in found.by_provider.values())]
        for each in counts:
            each[:, [FIELD_INDEX[name] for name in BEFORE]] = 0
        if whose == customer and any(each.any() for each in counts):
            rows[scope] = [each.tolist() for each in counts], found.baselines.get(row)
    return rows


@pytest.mark.parametrize(("seed", "back"), [(0, 20), (1, 20 * MINUTE), (2, 3 * HOUR), (3, 30 * HOUR), (4, 9 * DAY)])
def test_reading_with_a_fresh_start_is_reading_only_what_was_sent_since(ground: Ground, seed: int, back: int) -> None:
    twins(ground.store, seed, back)
    ground.listed("192.0.2.1", 4 * HOUR)
    ground.listed("192.0.2.2", 40 * HOUR, "critical")
    windows = Windows.for_policy(ground.store, POLICY, WINDOWS, LOOP, 60_000, 10)
    for _ in range(2):  # the second time from what was kept
        found, _ = windows.read(["acme", "twin"], NOW_MS)
        acme, twin = by_scope(found, "acme"), by_scope(found, "twin")
        assert acme == twin
        assert back < HOUR or {"customer", "stream:receipts", "class:bulk", "sub_account:eu"} <= acme.keys()
    past = {
        customer: {
            each.scope: msgspec.structs.replace(each, customer="")
            for each in counts_at(ground.store, customer, WINDOWS, LOOP, NOW_MS, include_later=False, policy=POLICY)
            if any(counts != WindowCounts() for counts in without_before(each.windows))
        }
        for customer in ("acme", "twin")
    }
    assert {scope: without_before(each.windows) for scope, each in past["acme"].items()} == {
        scope: without_before(each.windows) for scope, each in past["twin"].items()
    }
    assert read_baselines(ground.store, ["acme", "twin"], NOW_MS).get(("acme", "customer")) == read_baselines(
        ground.store, ["twin"], NOW_MS
    ).get(("twin", "customer"))


def without_before(windows: Any) -> list[WindowCounts]:
    return [msgspec.structs.replace(each, **dict.fromkeys(BEFORE, 0)) for each in windows.values()]


@pytest.mark.parametrize("seed", range(4))
def test_a_moment_before_the_fresh_start_is_read_as_it_was(ground: Ground, seed: int) -> None:
    mail = random_mail(seed, ["acme"], 200, 12 * DAY)
    store_mail(ground.store, mail)
    at_ms = NOW_MS - 5 * HOUR * 1000
    asked: Any = {"include_later": False, "policy": POLICY}
    before = counts_at(ground.store, "acme", WINDOWS, LOOP, at_ms, **asked)
    since_s = given(ground.store, "acme", 4 * HOUR)
    assert counts_at(ground.store, "acme", WINDOWS, LOOP, at_ms, **asked) == before
    # And the mail of then is in no window of a moment after it.
    after = counts_at(ground.store, "acme", WINDOWS, LOOP, (since_s + HOUR) * 1000 - 1, **asked)
    since = [each.delivered for each in mail if since_s <= each.at < since_s + HOUR]
    assert since
    assert after[0].windows["7d"].delivered == sum(since)


def test_the_last_of_several_fresh_starts_counts(ground: Ground) -> None:
    store_mail(ground.store, [Mail(NOW - back, "acme", delivered=back) for back in (5 * HOUR, 3 * HOUR, HOUR)])
    given(ground.store, "acme", 4 * HOUR)
    assert delivered(ground.store) == 4 * HOUR
    given(ground.store, "acme", 2 * HOUR)
    assert delivered(ground.store) == HOUR


def delivered(store: Store) -> int:
    found, _ = Windows(store, WINDOWS, LOOP, 0, 0).read(["acme"], NOW_MS)
    return found.one(0).windows["7d"].delivered


@pytest.mark.parametrize("seed", range(3))
def test_undated_outcomes_after_a_fresh_start_are_never_more_than_came_since(ground: Ground, seed: int) -> None:
    twins(ground.store, seed, 30 * HOUR, undated=True)
    found, _ = Windows.for_policy(ground.store, POLICY, WINDOWS, LOOP, 0, 0).read(["acme", "twin"], NOW_MS)
    row = {key: place for place, key in enumerate(zip(found.customers, found.scopes, strict=True))}
    for (customer, scope), place in row.items():
        if customer == "acme" and (twin := row.get(("twin", scope))) is not None:
            for name in ("hard", "block", "expired", "fbl_complained", "unsubscribed"):
                assert (found.counts[place, :, FIELD_INDEX[name]] <= found.counts[twin, :, FIELD_INDEX[name]]).all()
            for name in ("delivered", "fbl_delivered"):
                assert (found.counts[place, :, FIELD_INDEX[name]] == found.counts[twin, :, FIELD_INDEX[name]]).all()


def test_complaints_that_come_late_about_mail_of_before_accuse_nobody(ground: Ground) -> None:
    since_s = given(ground.store, "acme", 6 * HOUR)
    store_mail(
        ground.store,
        [
            Mail(since_s - 20 * HOUR, "acme", delivered=40_000),
            Mail(since_s + HOUR, "acme", delivered=3_000),
            Mail(since_s + 2 * HOUR, "acme", complained=90, undated_complained=90),
        ],
    )
    found, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0).read(["acme"], NOW_MS)
    day = found.one(0).windows["24h"]
    assert (day.fbl_delivered, day.fbl_complained, day.outside_complained) == (3_000, 90 * 3_000 // 43_000, 84)


def test_listing_that_is_still_in_force_is_a_fact_and_one_that_ended_is_not(ground: Ground) -> None:
    store_mail(ground.store, [Mail(NOW - 50 * HOUR, "acme", delivered=100), Mail(NOW - HOUR, "acme", delivered=100)])
    ground.listed("192.0.2.1", 30 * HOUR, "critical")
    given(ground.store, "acme", 2 * HOUR)
    found, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0).read(["acme"], NOW_MS)
    week = found.one(0).windows["7d"]
    # The fresh start is in force from the next full minute on.
    assert (week.critical_listings, week.listed_s_critical) == (1, NOW - (NOW - 2 * HOUR + 59) // 60 * 60)
    row: dict[str, Any] = {"resource": "192.0.2.1", "kind": "ip", "zone": "bl.example", "weight": "critical"}
    row |= {"type": "delisted", "time": datetime.fromtimestamp(NOW - 3 * HOUR, UTC), "id": "gone", "confirmed": True}
    ground.store.insert("listing_events", {name: [value] for name, value in row.items()})
    found, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0).read(["acme"], NOW_MS)
    assert found.one(0).windows["7d"].critical_listings == 0


@pytest.mark.parametrize("kind", ["pool", "from"])
@pytest.mark.parametrize("back", [20 * MINUTE, 30 * HOUR])
def test_small_customers_together_have_what_each_sent_since(ground: Ground, kind: str, back: int) -> None:
    """As if the others had sent only that."""
    customers = [f"small{number}" for number in range(6)]
    chance = random.Random(back)
    mail = [
        Mail(NOW - chance.randrange(9 * DAY), each, domain="one.example", delivered=9, hard=chance.randrange(4))
        for each in customers
        for _ in range(8)
    ]
    little = replace_rules(POLICY, min_volume=200)
    store_mail(ground.store, mail)
    everything = Pools(ground.store, little, LOOP, kind=kind).read(NOW_MS)
    since = {each: given(ground.store, each, back) for each in customers[:3]}
    anew = Pools(ground.store, little, LOOP, kind=kind).read(NOW_MS)
    assert anew != everything, "a test that could not fail"
    ground.store.run("TRUNCATE TABLE counts")
    ground.store.run("TRUNCATE TABLE fresh_starts")
    store_mail(ground.store, [each for each in mail if each.at >= since.get(each.customer, 0)])
    assert Pools(ground.store, little, LOOP, kind=kind).read(NOW_MS) == anew


def replace_rules(policy: Policy, **changes: Any) -> Policy:
    some = (each for each in policy.rules if each.name in ("failure", "block"))
    rules = tuple(msgspec.structs.replace(each, **changes) for each in some)
    return msgspec.structs.replace(policy, rules=rules)


def test_evidence_names_only_what_is_of_mail_since(ground: Ground) -> None:
    mail = [
        Mail(NOW - 3 * HOUR, "acme", provider="gmail", ip="192.0.2.7", delivered=100, hard=90),
        Mail(NOW - HOUR, "acme", provider="yahoo", ip="192.0.2.8", delivered=100, hard=30),
    ]
    store_mail(ground.store, mail)
    given(ground.store, "acme", 2 * HOUR)
    subject = ("acme", "customer")
    found = collect(ground.store, [subject], "failure", DAY * 1000, LOOP, NOW_MS, {subject: 0.05})[subject]
    assert [(each.name, each.count) for each in found.providers] == [("yahoo", 30)]
    assert [each.name for each in found.ips] == ["192.0.2.8"]
    assert found.baseline is None
    assert found.began is not None and found.began >= "2026-03-12T10:34"
