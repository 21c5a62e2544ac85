"""The causes of listings, and listings that are one customer's alone, from the store."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from schemas import policy, providers
from schemas.listing import WEIGHTS
from schemas.policy import Policy
from schemas.policy_metric import window_ms
from schemas.policy_rule import Levels, Rule
from streams.alerts.lifecycle import AlertState, Transition, step
from streams.judge.verdict import judge
from streams.listings.causes import RECOUNT_MS, CausedListing, ListingCauses, stored_causes
from streams.monitor.batch import BatchJudge
from streams.what_if.backtest import transitions
from streams.what_if.history import Extent, Hourly
from streams.windows.current import Windows
from streams.windows.past import counts_at
from tests.support.api_client import HOUR, MINUTE, NOW, Row
from tests.support.judging import LOOP, NOW_MS, WINDOWS, Ground
from tests.support.listing_rows import IP, said

pytestmark = pytest.mark.usefixtures("standing_clock")

_ids = itertools.count()


def sent_from(ground: Ground, domain: str, customer: str, dimension: str = "from", **counts: int) -> None:
    """Mail with a From domain (or signed by one), two hours ago."""
    row: dict[str, object] = {"dimension": dimension, "value": domain, "customer": customer, "stream": "news", **counts}
    bucket = datetime.fromtimestamp((NOW - 2 * HOUR) // MINUTE * MINUTE, UTC)
    row |= {"bucket": bucket, "source": f"from{next(_ids)}"}
    ground.store.insert("counts", {name: [value] for name, value in row.items()})


def refreshed(ground: Ground, now_ms: int = NOW_MS, **owners: str) -> list[CausedListing]:
    ListingCauses(ground.store, owners).refresh(now_ms)
    return stored_causes(ground.store, 0)


def shares(listing: CausedListing) -> dict[str, float]:
    return {cause.customer: round(cause.share, 3) for cause in listing.causes}


def test_shared_address_has_its_users_of_48_hours_ranked_with_their_numbers(ground: Ground) -> None:
    ground.put(
        Row(NOW - 3 * HOUR, delivered=9_000, complained=9, hard=90, ip=IP),
        Row(NOW - 4 * HOUR, delivered=900, complained=18, hard=90, block=10, ip=IP, customer="rival"),
        Row(NOW - 60 * HOUR, delivered=900, complained=800, ip=IP, customer="before"),
        Row(NOW - HOUR, delivered=900, complained=800, ip=IP, customer="after"),
        Row(NOW - 3 * HOUR, delivered=900, complained=800, ip="192.0.2.2", customer="elsewhere"),
    )
    said(ground, "listed", 2 * HOUR)
    (found,) = refreshed(ground)
    assert (found.attributed, found.users, found.ended_ms, found.confirmed) == ("shared", 2, None, True)
    first, second = found.causes
    assert (first.customer, first.volume, first.complaints, first.invalid, first.blocked) == (
        "rival",
        1_000,
        18,
        90,
        10,
    )
    assert (second.customer, second.volume, second.complaints, second.share) == ("acme", 9_090, 9, 0.0)
    assert first.share == 1.0


def test_address_that_one_customer_used_is_its_own(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=9, ip=IP))
    said(ground, "listed", 2 * HOUR)
    (found,) = refreshed(ground)
    assert (found.attributed, shares(found)) == ("dedicated", {"acme": 1.0})


def test_address_of_a_pool_set_up_for_one_customer_is_its_own(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP))
    ground.put(Row(NOW - 3 * HOUR, delivered=900, complained=90, ip=IP, customer="rival"))
    columns = {"customer": "acme", "time": datetime.fromtimestamp(NOW - 3 * HOUR, UTC), "type": "bounced", "id": "1"}
    columns |= {"sending_ip": IP, "ip_pool": "gold", "source": "s", "position": 1}
    ground.store.insert("events", {name: [value] for name, value in columns.items()})
    said(ground, "listed", 2 * HOUR)
    (found,) = refreshed(ground)
    assert (found.pool, found.attributed, shares(found)) == ("gold", "shared", {"rival": 1.0, "acme": 0.0})
    (found,) = refreshed(ground, gold="acme")
    assert (found.attributed, shares(found)) == ("dedicated", {"acme": 1.0, "rival": 0.0})


def test_row_is_rewritten_when_the_listing_is_confirmed_and_when_it_ends(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=9, ip=IP))
    said(ground, "listed", 2 * HOUR, confirmed=False)
    causes = ListingCauses(ground.store, {})

    def now() -> list[tuple[bool, int | None]]:
        causes.refresh(NOW_MS)
        return [(each.confirmed, each.ended_ms) for each in stored_causes(ground.store, 0)]

    assert now() == [(False, None)]
    said(ground, "still_listed", HOUR)
    assert now() == [(True, None)]
    said(ground, "delisted", HOUR // 2)
    assert now() == [(True, NOW_MS - HOUR * 500)]
    said(ground, "listed", HOUR // 4, zone="other.example")
    assert now() == [(True, None), (True, NOW_MS - HOUR * 500)]


def test_counts_that_come_late_change_the_causes_at_the_next_recount(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP))
    said(ground, "listed", 2 * HOUR)
    causes = ListingCauses(ground.store, {})
    assert causes.refresh(NOW_MS) == {"acme"}
    ground.put(Row(NOW - 3 * HOUR, delivered=900, complained=90, ip=IP, customer="late"))
    assert causes.refresh(NOW_MS + RECOUNT_MS - 1) == set()
    assert causes.refresh(NOW_MS + RECOUNT_MS) == {"acme", "late"}
    (found,) = stored_causes(ground.store, 0)
    assert shares(found) == {"late": 1.0, "acme": 0.0}


def test_what_another_monitor_wrote_is_reported_too(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP))
    mine, other = ListingCauses(ground.store, {}), ListingCauses(ground.store, {})
    said(ground, "listed", 2 * HOUR)
    assert (other.refresh(NOW_MS), mine.refresh(NOW_MS)) == ({"acme"}, {"acme"})
    assert mine.refresh(NOW_MS + 1) == set()


def test_nothing_is_written_again_without_a_change(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP))
    said(ground, "listed", 2 * HOUR)
    causes = ListingCauses(ground.store, {})
    for minutes in range(0, 60, 5):
        causes.refresh(NOW_MS + minutes * MINUTE * 1000)
    ((rows,),) = ground.store.rows("SELECT count() FROM listing_causes")
    assert int(rows) == 1


def test_listed_domain_is_used_by_who_sends_from_it_or_from_below_it(ground: Ground) -> None:
    sent_from(ground, "acme.example", "acme", delivered=100)
    sent_from(ground, "news.shared.example", "acme", delivered=100, complained=50)
    sent_from(ground, "shared.example", "rival", delivered=100)
    sent_from(ground, "notshared.example", "bystander", delivered=100, complained=50)
    for domain in ("acme.example", "shared.example"):
        said(ground, "listed", HOUR, resource=domain, kind="domain", zone="dbl.example")
    found = {each.resource: each for each in refreshed(ground)}
    assert (found["acme.example"].attributed, shares(found["acme.example"])) == ("dedicated", {"acme": 1.0})
    assert shares(found["shared.example"]) == {"acme": 1.0, "rival": 0.0}


def test_listed_domain_is_used_by_who_signs_with_it(ground: Ground) -> None:
    sent_from(ground, "mail.esp.example", "acme", "dkim", delivered=100)
    sent_from(ground, "mail.esp.example", "rival", "dkim", delivered=100, complained=50)
    sent_from(ground, "fine.example", "bystander", delivered=100, complained=50)
    said(ground, "listed", HOUR, resource="esp.example", kind="domain", zone="dbl.example")
    (found,) = refreshed(ground)
    assert found.users == 2
    assert shares(found) == {"rival": 1.0, "acme": 0.0}


LISTED = Policy(
    rules=(
        Rule(name="listings", metric="listing_count", windows=("1h", "24h"), levels=Levels(watch=1, warning=2)),
        Rule(name="hours", metric="listed_hours", windows=("24h",), levels=Levels(watch=1, warning=5, critical=20)),
        Rule(
            name="minor", metric="listed_hours", windows=("24h", "7d"), weights=("minor",), levels=Levels(excessive=20)
        ),
        Rule(name="critical", metric="critical_listing", windows=("1h",), levels=Levels(critical=1)),
        Rule(
            name="cause",
            metric="attributed_listing",
            windows=("24h",),
            levels=Levels(warning=1, excessive=2),
            min_share=0.75,
        ),
    ),
    windows=("1h", "24h", "7d"),
)


def several_listings(ground: Ground) -> None:
    """acme has one address to itself, with one stream, and one in two streams; another it shares."""
    for back in (2, 9, 26, 50):
        ground.put(
            Row(NOW - back * HOUR, delivered=900, ip="192.0.2.1"),
            Row(NOW - back * HOUR, delivered=900, ip="192.0.2.2"),
            Row(NOW - back * HOUR, delivered=900, ip="192.0.2.2", stream="receipts"),
            Row(NOW - back * HOUR, delivered=900, complained=40, ip="192.0.2.3"),
            Row(NOW - back * HOUR, delivered=900, complained=5, ip="192.0.2.3", customer="rival"),
        )
    said(ground, "listed", 30 * HOUR, resource="192.0.2.1")
    said(ground, "delisted", 20 * HOUR, resource="192.0.2.1")
    said(ground, "listed", 5 * HOUR, resource="192.0.2.1", weight="minor", zone="minor.example")
    said(ground, "listed", 3 * HOUR, resource="192.0.2.2", weight="critical", zone="critical.example")
    said(ground, "listed", 2 * HOUR, resource="192.0.2.2", zone="major.example")
    said(ground, "delisted", 90 * MINUTE, resource="192.0.2.2", zone="major.example")
    said(ground, "listed", 4 * HOUR, resource="192.0.2.3", zone="major.example")
    sent_from(ground, "acme.example", "acme", delivered=100)
    said(ground, "listed", 6 * HOUR, resource="acme.example", kind="domain", zone="dbl.example")


def test_own_listings_are_counted_by_weight_and_added_up_in_hours(
    ground: Ground,
) -> None:
    """Those of a stream are counted where it alone sent."""
    several_listings(ground)
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    windows = Windows(ground.store, WINDOWS, LOOP, 0, 0, attributed_share=0.75)
    read = [
        subjects.one(place)
        for subjects, _ in [windows.read(["acme", "rival"], NOW_MS)]
        for place in range(len(subjects))
    ]
    found = {(each.customer, each.scope): each.windows for each in read}
    day, hour = found["acme", "customer"]["24h"], found["acme", "customer"]["1h"]
    assert (day.listings_critical, day.listings_major, day.listings_minor, day.critical_listings) == (1, 2, 1, 1)
    # Major: 4 hours of the window, and half an hour.
    assert (day.listed_s_critical, day.listed_s_major, day.listed_s_minor) == (3 * HOUR, 4.5 * HOUR, 5 * HOUR)
    assert (hour.listings_critical, hour.listings_major, hour.listed_s_major) == (1, 0, 0)
    news, receipts = (found["acme", f"stream:{name}"]["24h"] for name in ("news", "receipts"))
    assert (news.listings_critical, news.listings_major, news.listings_minor) == (0, 1, 1)
    assert (receipts.listings_critical, receipts.listings_major, receipts.critical_listings) == (0, 0, 0)
    # Those of its own addresses, and of the shared one; from the domain nobody had sent before it was listed.
    assert (day.attributed_listings, news.attributed_listings) == (5, 0)
    assert not found["rival", "customer"]["24h"].attributed_listings
    assert not found["rival", "customer"]["24h"].listings_major


#: Address, weight, and when it began and ended (s before now; 0 is not).
Known = tuple[str, str, int, int]


def naive(mail: list[Row], listings: list[Known], whose: str, stream: str, length: int) -> dict[str, int]:
    """What a customer, or a stream of it if named, has in a window: by going through all mail for every listing."""
    found: Counter[str] = Counter()
    for address, weight, began, ended in listings:
        through = [row for row in mail if row.ip == address and 0 < NOW - row.at - began <= 48 * HOUR]
        before = {(row.customer, row.stream) for row in through}
        alone = {customer for customer, _ in before} == {whose} and (not stream or before == {(whose, stream)})
        if alone and ended < length:
            found[f"listings_{weight}"] += 1
            found["critical_listings"] += weight == "critical" and not stream
            found[f"listed_s_{weight}"] += min(began, length) - ended
    for row in mail:
        if row.customer == whose and stream in ("", row.stream) and NOW - row.at <= length:
            back = NOW - row.at
            found["sent"] += row.delivered
            found["exposed"] += row.delivered * any(
                on == row.ip and weight != "informational" and ended < back <= began
                for on, weight, began, ended in listings
            )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_customers_and_streams_have_what_a_naive_count_says(ground: Ground, seed: int) -> None:
    dice = random.Random(seed)
    addresses = [f"192.0.2.{last}" for last in range(8)]
    streams = [("acme", "news"), ("acme", "receipts"), ("rival", "news")]
    mail = [
        Row(
            NOW - dice.randrange(1, 160 * 60) * MINUTE,
            delivered=dice.randrange(1, 99),
            ip=ip,
            customer=customer,
            stream=stream,
        )
        for ip in addresses
        for customer, stream in dice.sample(streams, k=dice.randrange(1, 4))
        for _ in range(12)
    ]
    ground.put(*mail)
    listings: list[Known] = []
    for number in range(12):
        began, weight, ip = dice.randrange(2, 150 * 60) * MINUTE, dice.choice(WEIGHTS), dice.choice(addresses)
        ended = dice.choice([0, began // 2 // MINUTE * MINUTE])
        listings.append((ip, weight, began, ended))
        said(ground, "listed", began, resource=ip, zone=f"bl{number}.example", weight=weight)
        if ended:
            said(ground, "delisted", ended, resource=ip, zone=f"bl{number}.example", weight=weight)
    subjects, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0).read(["acme", "rival"], NOW_MS)
    found = [subjects.one(place) for place in range(len(subjects))]
    assert {(each.customer, each.scope) for each in found} >= {("acme", "customer"), ("acme", "stream:news")}
    for each in found:
        stream = each.scope.partition(":")[2]
        for name in ("1h", "24h", "7d"):
            counts = each.windows[name]
            expected = naive(mail, listings, each.customer, stream, WINDOWS[name] // 1000)
            fields = ("critical_listings", *(f"{kind}_{of}" for kind in ("listings", "listed_s") for of in WEIGHTS))
            assert {at: getattr(counts, at) for at in fields} == {at: expected[at] for at in fields}
            # A customer that used nothing that was listed has nothing to judge.
            if counts.sent:
                assert (counts.sent, counts.exposed) == (expected["sent"], expected["exposed"])
            else:
                assert not expected["exposed"]


def own(ground: Ground, *customers: str, now_ms: int = NOW_MS, windows: Windows | None = None) -> dict[str, int]:
    """How many critical listings of the last day are each customer's own."""
    subjects, _ = (windows or Windows(ground.store, WINDOWS, LOOP, 0, 0)).read(customers, now_ms)
    found = {place: subjects.one(place) for place in range(len(subjects))}
    return {each.customer: each.windows["24h"].critical_listings for each in found.values() if each.scope == "customer"}


def test_who_is_given_a_listed_address_later_did_not_cause_it_and_who_left_it_did(ground: Ground) -> None:
    ground.put(Row(NOW - 97 * HOUR, delivered=900, complained=90, ip=IP))
    ground.put(Row(NOW - 90 * HOUR, delivered=900, ip=IP, customer="heir"))
    ground.put(Row(NOW - HOUR, delivered=900, ip=IP, customer="heir"))
    said(ground, "listed", 96 * HOUR, weight="critical")
    assert own(ground, "acme", "heir") == {"acme": 1, "heir": 0}
    assert refreshed(ground)[0].causes[0].customer == "acme"
    assert own(ground, "acme", "heir") == {"acme": 1, "heir": 0}
    past = counts_at(ground.store, "heir", WINDOWS, LOOP, NOW_MS - 85 * HOUR * 1000, include_later=False, policy=LISTED)
    assert past[0].windows["7d"].critical_listings == 0


def test_complaint_that_comes_when_another_has_the_address_is_no_use_of_it(ground: Ground) -> None:
    ground.put(Row(NOW - 5 * HOUR, delivered=900, ip=IP), Row(NOW - 4 * HOUR, complained=1, ip=IP, customer="before"))
    said(ground, "listed", 3 * HOUR, weight="critical")
    assert own(ground, "acme", "before") == {"acme": 1, "before": 0}


def test_listing_of_a_pool_set_up_for_one_customer_is_its_own(ground: Ground) -> None:
    """Although another sent there too."""
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP), Row(NOW - 3 * HOUR, delivered=9, ip=IP, customer="stray"))
    columns = {"customer": "acme", "time": datetime.fromtimestamp(NOW - 3 * HOUR, UTC), "type": "bounced", "id": "1"}
    columns |= {"sending_ip": IP, "ip_pool": "gold", "source": "s", "position": 1}
    ground.store.insert("events", {name: [value] for name, value in columns.items()})
    said(ground, "listed", 2 * HOUR, weight="critical")
    assert own(ground, "acme", "stray") == {"acme": 0, "stray": 0}
    refreshed(ground, gold="acme")
    assert own(ground, "acme", "stray") == {"acme": 1, "stray": 0}
    for policy_at in (NOW_MS, NOW_MS - HOUR * 1000):
        found = counts_at(ground.store, "acme", WINDOWS, LOOP, policy_at, include_later=False, policy=LISTED)
        assert found[0].windows["24h"].critical_listings == 1


def test_who_sent_before_a_listing_is_read_again_since_counts_may_come_late(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP))
    said(ground, "listed", 2 * HOUR, weight="critical")
    windows = Windows(ground.store, WINDOWS, LOOP, 0, 0)
    assert own(ground, "acme", windows=windows) == {"acme": 1}
    ground.put(Row(NOW - 3 * HOUR, delivered=900, ip=IP, customer="late"))
    assert own(ground, "acme", "late", now_ms=NOW_MS + RECOUNT_MS - 1, windows=windows)["acme"] == 1
    assert own(ground, "acme", "late", now_ms=NOW_MS + RECOUNT_MS, windows=windows) == {"acme": 0, "late": 0}


@pytest.mark.parametrize("back", [0, 3 * HOUR, 25 * HOUR])
def test_listings_of_a_moment_are_those_the_monitor_read(ground: Ground, back: int) -> None:
    several_listings(ground)
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    at_ms = NOW_MS - back * 1000
    found = counts_at(ground.store, "acme", WINDOWS, LOOP, at_ms, include_later=not back, policy=LISTED)
    if back:
        # What came later must not be there when the monitor is asked.
        for table, column in (("counts", "bucket"), ("listing_events", "time")):
            ground.store.run(
                f"ALTER TABLE {table} DELETE WHERE {column} > toDateTime({at_ms // 1000}) SETTINGS mutations_sync = 1"
            )
    subjects, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0, attributed_share=0.75).read(["acme"], at_ms)
    assert [subjects.one(place) for place in range(len(subjects))] == found


def test_policy_with_every_listing_metric_is_tried_as_the_monitor_would_have_judged(ground: Ground) -> None:
    several_listings(ground)
    ListingCauses(ground.store, {}).refresh(NOW_MS)
    extent = Extent.of((LISTED,), (NOW - 30 * HOUR) * 1000, NOW_MS)
    hourly = Hourly(ground.store, extent, LOOP)
    found = [each for part in hourly.portions(hourly.customers()) for each in transitions(part, [LISTED])[0]]
    lengths = {name: window_ms(name) for name in LISTED.windows}
    expected: list[Transition] = []
    for customer in ("acme", "rival"):
        states: dict[tuple[str, str], AlertState | None] = {}
        for at in range(extent.start_s + extent.first * HOUR, extent.end_s + 1, HOUR):
            for subject in counts_at(
                ground.store, customer, lengths, LOOP, at * 1000, include_later=False, policy=LISTED
            ):
                for verdict in judge(subject, LISTED, at * 1000).verdicts:
                    key = subject.scope, verdict.rule
                    states[key], change = step(states.get(key), verdict, at * 1000, 1_800_000, customer, subject.scope)
                    expected += [change] if change else []

    def key_of(each: Transition) -> tuple[str, str, str, int]:
        return each.customer, each.scope, each.rule, each.time_ms

    assert {each.rule for each in expected} >= {"listings", "hours", "critical", "cause"}
    assert {each.scope for each in expected} >= {"customer", "stream:news"}
    assert sorted(found, key=key_of) == sorted(expected, key=key_of)


def test_listing_on_an_informational_list_is_attributed_and_counts_against_nobody(ground: Ground) -> None:
    ground.put(Row(NOW - 3 * HOUR, delivered=9, ip=IP))
    said(ground, "listed", 2 * HOUR, weight="informational")
    assert shares(refreshed(ground)[0]) == {"acme": 1.0}
    subjects, _ = Windows(ground.store, WINDOWS, LOOP, 0, 0, attributed_share=0.5).read(["acme"], NOW_MS)
    counts = subjects.one(0).windows["24h"]
    assert (counts.attributed_listings, counts.listings_informational) == (0, 1)


def test_likely_cause_is_alarmed_only_where_the_policy_says_so_and_from_its_share_on(ground: Ground) -> None:
    several_listings(ground)
    ListingCauses(ground.store, {}).refresh(NOW_MS)

    def rules(by: Policy) -> set[tuple[str, str]]:
        ground.store.run("TRUNCATE TABLE alert_states")
        judging = BatchJudge(ground.store, by, providers.load_providers(), lambda *_: None, lambda: None)
        judged = judging.judge_customers(["acme", "rival"], NOW_MS)
        return {
            (each.data.customer, each.data.rule) for each in judged.alerts if each.data.metric == "attributed_listing"
        }

    assert rules(policy.load_policy()) == set()
    assert rules(LISTED) == {("acme", "cause")}
    (cause,) = (each for each in LISTED.rules if each.name == "cause")
    dearer = msgspec.structs.replace(cause, levels=Levels(warning=6))
    assert rules(msgspec.structs.replace(LISTED, rules=(dearer,))) == set()
