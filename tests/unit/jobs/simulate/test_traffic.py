"""The simulated fleet and its mail: what it consists of, that it repeats, and that it is what it says."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from jobs.simulate.fleet import Fleet, build_fleet
from jobs.simulate.ledger import Ledger
from jobs.simulate.profiles import SimulationError, load_profiles
from jobs.simulate.timed import TimedMessage
from jobs.simulate.traffic import Traffic, generate
from jobs.simulate.trouble import Trouble
from jobs.simulate.truth import CustomerTruth, Truth
from schemas.event import MailEvent
from schemas.listing import BlocklistEvent
from schemas.times import HOUR_MS
from schemas.topics import MAIL_BLOCKLISTINGS, MAIL_EVENTS
from streams.bounces.classify import load_bounce_classifier
from tests.support.root import ROOT

START_MS = 1_790_000_000_000
END_MS = START_MS + 24 * HOUR_MS
PROFILES = ROOT / "jobs" / "simulate" / "profiles.toml"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return build_fleet(1, 200)


@pytest.fixture(scope="module")
def day(fleet: Fleet) -> list[TimedMessage]:
    """A day of 200 customers, with fewer messages than the demo has."""
    return list(generate(fleet, START_MS, END_MS, 150_000, seed=1))


@pytest.fixture(scope="module")
def events(day: list[TimedMessage]) -> list[tuple[TimedMessage, MailEvent]]:
    decoder = msgspec.json.Decoder(MailEvent)
    return [(sent, decoder.decode(sent.value)) for sent in day if sent.topic == MAIL_EVENTS]


def truth_of(fleet: Fleet, sent: list[TimedMessage]) -> Truth:
    ledger = Ledger(fleet)
    for each in sent:
        ledger.record(each)
    return ledger.truth()


# ---- the fleet


def test_fleet_has_mostly_good_customers_and_some_of_every_kind(fleet: Fleet) -> None:
    kinds = Counter(each.profile for each in fleet.customers)
    assert kinds == {
        "good": 170, "sloppy": 16, "snowshoe": 6, "bad_list": 3, "complainer": 3, "compromised": 2,
    }  # fmt: skip


def test_names_are_unique_even_in_a_fleet_larger_than_the_words() -> None:
    names = [each.name for each in build_fleet(3, 5_000).customers]
    assert len(set(names)) == 5_000


def test_volume_falls_with_rank_after_zipf(fleet: Fleet) -> None:
    first, tenth = fleet.customers[0].weight, fleet.customers[9].weight
    assert first / tenth == pytest.approx(10**1.1)


def test_another_seed_is_another_fleet() -> None:
    assert build_fleet(1, 50) == build_fleet(1, 50)
    assert build_fleet(1, 50) != build_fleet(2, 50)


def test_addresses_belong_to_one_pool_and_all_are_set_apart_for_tests(fleet: Fleet) -> None:
    pool_of: dict[str, str] = {}
    for customer in fleet.customers:
        assert set(customer.ips) <= set(customer.pool.ips)
        for ip in customer.pool.ips:
            assert ip.startswith(("198.18.", "198.19."))
            assert pool_of.setdefault(ip, customer.pool.name) == customer.pool.name


def test_pools_are_shared_by_many_or_dedicated_to_one(fleet: Fleet) -> None:
    users = Counter(each.pool.name for each in fleet.customers)
    assert all(number == 1 for name, number in users.items() if name.startswith("dedicated"))
    assert all(number > 1 for name, number in users.items() if name.startswith("shared"))
    assert users["dedicated-1"] == 1
    assert users["shared-1"] > 1


def test_one_snowshoe_pool_has_addresses_of_their_own_and_the_other_shares_all(fleet: Fleet) -> None:
    users: dict[str, set[str]] = {}
    for customer in fleet.customers:
        if customer.profile == "snowshoe":
            for ip in customer.ips:
                users.setdefault(ip, set()).add(customer.pool.name + customer.name)
    by_pool: dict[str, set[int]] = {}
    for names in users.values():
        by_pool.setdefault(next(iter(names))[: len("pool-snowshoe-1")], set()).add(len(names))
    assert by_pool == {"pool-snowshoe-1": {1}, "pool-snowshoe-2": {3}}


@pytest.mark.parametrize("customers", [0, -1, 20_001])
def test_fleet_of_impossible_size_is_refused(customers: int) -> None:
    with pytest.raises(SimulationError, match="1 to 20,000 customers"):
        build_fleet(1, customers)


def test_given_feedback_loop_domains_replace_the_flags() -> None:
    assert build_fleet(1, 10, frozenset({"gmx.de", "not-written-to.example"})).fbl_domains == {"gmx.de"}


# ---- the data file


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "bad_list"', 'name = "bad_list"\ncolour = "red"', "unknown field `colour`"),
        ("hard = [12.0, 20.0]", "hard = [12.0, 200.0]", r"<= 100.0 .*rates\.hard"),
        ('kind = "soft"', 'kind = "hard"', "no answers of kind soft"),
        ("turns = [0.4, 0.6]", "", "profile compromised: `turns` and `after` go together"),
        ("[names]", "[names", "profiles.toml"),
    ],
)
def test_fault_in_the_profiles_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = PROFILES.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "profiles.toml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SimulationError, match=complaint) as raised:
        load_profiles(file)
    assert str(file) in str(raised.value)


def test_every_answer_is_classified_as_what_it_means() -> None:
    classify = load_bounce_classifier()
    bounces = [each for each in load_profiles().answers if each.kind in ("hard", "soft", "block")]
    judged = [(classify.classify(each.code, each.status, each.text).kind, each.kind) for each in bounces]
    assert [was for was, _ in judged] == [meant for _, meant in judged]


# ---- the mail


def test_same_seed_and_start_give_the_same_bytes(fleet: Fleet) -> None:
    once, again = (list(generate(build_fleet(7, 30), START_MS, END_MS, 5_000, seed=7)) for _ in range(2))
    assert once == again


@pytest.mark.parametrize(("start_ms", "seed"), [(START_MS + 1, 7), (START_MS, 8)])
def test_another_start_or_seed_shares_no_event_id(start_ms: int, seed: int) -> None:
    fleet = build_fleet(7, 30)

    def ids(begin: int, with_seed: int) -> set[str]:
        sent = generate(fleet, begin, begin + HOUR_MS, 500, seed=with_seed)
        return {msgspec.json.decode(each.value)["id"] for each in sent}

    assert not ids(START_MS, 7) & ids(start_ms, seed)


def test_values_are_the_canonical_encoding_of_valid_events(events: list[tuple[TimedMessage, MailEvent]]) -> None:
    seen = set()
    for sent, event in events[::7] + [each for each in events if each[1].type not in ("delivered", "deferred")]:
        seen.add((event.type, event.asynchronous))
        assert msgspec.json.encode(event) == sent.value
        assert sent.key == event.customer.encode()
    kinds = [
        "delivered",
        "bounced",
        "deferred",
        "complained",
        "unsubscribed",
        "expired",
        "suppressed",
        "rejected",
    ]
    assert seen == {*((kind, False) for kind in kinds), ("bounced", True)}


def test_events_carry_what_belongs_to_them(fleet: Fleet, events: list[tuple[TimedMessage, MailEvent]]) -> None:
    customers = {each.name: each for each in fleet.customers}
    for _, event in events[::5]:
        customer = customers[event.customer]
        stream = next(each for each in customer.streams if each.name == event.stream)
        assert event.stream_class == stream.stream_class
        assert event.from_domain == stream.from_domain
        assert event.recipient_domain in fleet.domains
        assert not event.recipient
        assert not event.bounce_class
        assert len(event.recipient_hash) == 16
        if event.type in ("suppressed", "rejected"):
            assert not event.sending_ip
        else:
            assert event.sending_ip in customer.ips
            assert event.ip_pool == customer.pool.name
        if event.type in ("bounced", "deferred", "expired"):
            assert event.diagnostic.startswith(f"{event.smtp_code} {event.enhanced_status} ")


def test_every_message_begins_in_the_span_and_all_are_sent(events: list[tuple[TimedMessage, MailEvent]]) -> None:
    first_at: dict[str, int] = {}
    for sent, event in events:
        first_at.setdefault(event.message_id, sent.time_ms)
    assert len(first_at) == 150_000
    assert min(first_at.values()) >= START_MS
    assert max(first_at.values()) < END_MS


def test_messages_are_sent_in_the_order_of_time(day: list[TimedMessage]) -> None:
    times = [each.time_ms for each in day]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < END_MS


def test_duplicate_repeats_the_bytes_within_minutes(events: list[tuple[TimedMessage, MailEvent]]) -> None:
    first: dict[str, TimedMessage] = {}
    repeated = 0
    for sent, event in events:
        original = first.setdefault(event.id, sent)
        if original is sent:
            assert event.time == sent.time_ms
        else:
            repeated += 1
            assert sent.value == original.value
            assert 0 < sent.time_ms - original.time_ms <= 3 * 60_000
    assert 0.001 < repeated / len(events) < 0.003


def test_complaint_follows_a_delivery_at_a_domain_with_a_feedback_loop(
    fleet: Fleet, events: list[tuple[TimedMessage, MailEvent]]
) -> None:
    delivered = {event.message_id: event for _, event in events if event.type == "delivered"}
    reports = [event for _, event in events if event.type == "complained"]
    assert len(reports) > 50
    for event in reports:
        assert event.recipient_domain in fleet.fbl_domains
        before = delivered[event.message_id]
        assert before.time_ms < event.time_ms
        assert before.recipient_hash == event.recipient_hash
        assert before.sending_ip == event.sending_ip


def test_half_of_the_complaints_take_hours_and_some_far_longer(fleet: Fleet) -> None:
    traffic = Traffic(fleet, 1, START_MS, END_MS)
    hour = list(traffic.generate(START_MS, START_MS + HOUR_MS, 200_000))
    week = list(traffic.generate(START_MS + HOUR_MS, START_MS + 168 * HOUR_MS, 0))
    sent = [
        msgspec.json.decode(each.value, type=MailEvent)
        for each in hour + week
        if b'"delivered"' in each.value or b'"abuse"' in each.value
    ]
    delivered = {event.message_id: event.time_ms for event in sent if event.type == "delivered"}
    delays = sorted(event.time_ms - delivered[event.message_id] for event in sent if event.feedback_type == "abuse")
    assert HOUR_MS < delays[len(delays) // 2] < 4 * HOUR_MS
    assert delays[-1] > 12 * HOUR_MS


def test_deferred_message_gets_its_outcome_later(events: list[tuple[TimedMessage, MailEvent]]) -> None:
    kinds: dict[str, list[str]] = {}
    seen: set[str] = set()
    for _, event in events:
        if event.id not in seen and event.type in ("deferred", "delivered", "bounced", "expired"):
            seen.add(event.id)
            kinds.setdefault(event.message_id, []).append("late" if event.asynchronous else event.type)
    ends = Counter(tuple(each) for each in kinds.values() if each[0] == "deferred" and each[-1] != "deferred")
    assert ends["deferred", "delivered"] > ends["deferred", "deferred", "delivered"] > 100
    assert ends["deferred", "deferred", "expired"] > 10
    assert all(1 <= each.count("deferred") <= 2 for each in ends)


def test_business_hours_bring_more_mail_than_nights() -> None:
    fleet = build_fleet(1, 1)
    phase_ms = fleet.customers[0].phase_h * HOUR_MS
    sent = generate(fleet, START_MS, END_MS, 20_000, seed=1)
    hours = Counter(int((each.time_ms - phase_ms) % (24 * HOUR_MS)) // HOUR_MS for each in sent)
    assert hours[13] > 1.8 * hours[1]


def test_compromised_customer_is_good_until_its_moment(fleet: Fleet, day: list[TimedMessage]) -> None:
    bad = next(each for each in fleet.customers if each.profile == "compromised")
    assert bad.turns_at is not None
    turn_ms = START_MS + bad.turns_at * (END_MS - START_MS)
    own = [each for each in day if each.key == bad.name.encode()]
    before = truth_of(fleet, [each for each in own if each.time_ms < turn_ms]).by_name[bad.name].counts
    after = truth_of(fleet, [each for each in own if each.time_ms >= turn_ms]).by_name[bad.name].counts
    assert after.finished > 4 * before.finished
    assert before.block < 0.03 * before.finished
    assert 0.15 < after.block / after.finished < 0.25
    assert 0.08 < after.failure_rate < 0.15


def test_what_comes_late_is_kept_for_the_next_call() -> None:
    fleet = build_fleet(1, 20)
    traffic = Traffic(fleet, 1, START_MS, END_MS)
    first = list(traffic.generate(START_MS, END_MS, 20_000))
    later = list(traffic.generate(END_MS, END_MS + 48 * HOUR_MS, 0))
    types = {msgspec.json.decode(each.value, type=MailEvent).type for each in later if each.slot >= 0}
    assert "complained" in types
    assert "delivered" in types  # of messages deferred shortly before the end
    assert {each.value for each in first if each.slot >= 0}.isdisjoint(
        each.value for each in later if each.slot >= 0 and each.slot % 2 == 0
    )


def test_hurry_shortens_the_delay_of_complaints() -> None:
    traffic = Traffic(build_fleet(1, 20), 1, START_MS, END_MS)
    minute = traffic.generate(START_MS, START_MS + 60_000, 20_000, hurry=2_000.0)
    assert any(b'"complained"' in each.value for each in minute)


# ---- blocklists


def test_listed_addresses_are_looked_at_hourly_until_they_are_off(fleet: Fleet, day: list[TimedMessage]) -> None:
    looks: dict[tuple[str, str], list[BlocklistEvent]] = {}
    for sent in day:
        if sent.topic == MAIL_BLOCKLISTINGS:
            event = msgspec.json.decode(sent.value, type=BlocklistEvent)
            assert sent.key == event.resource.encode()
            assert msgspec.json.encode(event) == sent.value
            looks.setdefault((event.resource, event.weight), []).append(event)
    assert len(looks) == 13
    for (_, weight), found in looks.items():
        kinds = [each.type for each in found]
        assert kinds[0] == "listed"
        assert len({each.id for each in found}) == len(found)
        if weight == "critical":
            assert set(kinds[1:]) == {"still_listed"}
            assert found[1].time_ms - found[0].time_ms == HOUR_MS
        else:
            assert kinds[-1] == "delisted"
    listed = {resource for resource, weight in looks if weight == "critical"}
    snowshoe = {ip for each in fleet.customers if each.profile == "snowshoe" for ip in each.ips}
    assert listed == snowshoe


# ---- the truth of a day


def test_every_bad_kind_is_found_at_demo_scale_and_no_good_customer_is_accused(fleet: Fleet) -> None:
    truth = truth_of(fleet, list(generate(fleet, START_MS, END_MS, 500_000, seed=1)))
    flagged = Counter(each.profile for each in truth.customers if each.verdict == "flag")
    assert flagged == {"bad_list": 3, "complainer": 3, "snowshoe": 3, "compromised": 2}
    assert all(each.verdict == "clean" for each in truth.customers if each.profile in ("good", "sloppy"))


def test_big_customers_keep_to_the_rates_of_their_profile(fleet: Fleet, day: list[TimedMessage]) -> None:
    biggest: CustomerTruth = truth_of(fleet, day).by_name[fleet.customers[0].name]
    assert biggest.profile == "good"
    assert biggest.counts.finished > 20_000
    assert biggest.counts.failure_rate == pytest.approx(0.007, abs=0.0025)
    assert biggest.counts.complaint_rate < 0.0006
    assert sum(each.fbl_delivered for each in biggest.streams[0].domains.values()) == (
        biggest.streams[0].counts.fbl_delivered
    )


def test_trouble_is_that_of_a_provider_or_a_pool_for_a_while_and_of_nobody_else() -> None:
    troubles = (
        Trouble(frozenset({"outlook.com"}), "hard", 0.25, 0.5, 0.5),
        Trouble(frozenset({"gmail.com"}), "block", 0.5, 1.0, 1.0, "shared-1"),
    )
    made = build_fleet(3, 50, troubles=troubles)
    met: dict[str, Counter[str]] = {"before": Counter(), "hard": Counter(), "pool": Counter(), "others": Counter()}
    for sent in generate(made, START_MS, END_MS, 20_000, seed=3):
        if sent.topic != MAIL_EVENTS:
            continue
        mail = msgspec.json.decode(sent.value, type=MailEvent)
        part = (sent.time_ms - START_MS) / (END_MS - START_MS)
        when = {"outlook.com": (0.25, 0.5), "gmail.com": (0.5, 1.0)}.get(mail.recipient_domain, (2.0, 2.0))
        if mail.type not in ("delivered", "bounced") or mail.bounce_class == "async":
            continue
        key = "before"
        if when[0] <= part < when[1]:
            key = "hard" if when[0] == 0.25 else "pool" if mail.ip_pool == "shared-1" else "others"
        met[key][mail.type] += 1
    share = {key: each["bounced"] / each.total() for key, each in met.items()}
    assert 0.4 < share["hard"] < 0.6
    assert share["pool"] > 0.95
    assert share["before"] < 0.1 and share["others"] < 0.2
