"""The replay of the policy in force says what the monitor said at those times, over histories with all that judging
knows: streams, sub-accounts, classes, providers, minutes, listings, outcomes of mail of an unknown time, incidents,
overrides and fresh starts."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from api.text.try_policy import lines
from jobs.operator.customers import store_list
from jobs.operator.decisions import add_override, end_override
from jobs.operator.fresh_starts import give_fresh_start
from jobs.operator.holds import decide_hold
from jobs.operator.incidents import declare_incident
from jobs.operator.try_policy import try_policy
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import store_readings
from schemas import providers
from schemas.alert import AlertEvent
from schemas.customer import Customer
from schemas.policy import Brake, Policy
from schemas.policy_override import Override
from schemas.policy_rule import Levels, Rule
from schemas.settings import Ingest, MonitorSettings
from schemas.topics import REPUTATION_ALERTS
from streams.decisions.overrides import with_stored
from streams.decisions.stored_overrides import stored_overrides
from streams.io.store import Store
from streams.listings.causes import ListingCauses
from streams.monitor.batch import BatchJudge
from streams.what_if.backtest import transitions
from streams.what_if.history import Extent, Hourly
from streams.what_if.pools import PoolReplay
from tests.support.api_client import DAY, HOUR, MINUTE, NOW
from tests.support.judging import LOOP
from tests.support.rich_history import Mail, random_mail, store_mail

pytestmark = pytest.mark.usefixtures("standing_clock")

NOON = NOW // HOUR * HOUR
CUSTOMERS = ["acme", "beta", "corp", "dept"]
#: Gmail reports of its domain, and no mail of it was ever counted.
SILENT = "echo"
#: So many hours are judged: enough for an override to end by itself and another by hand, for two fresh starts, for mail
#: of an incident to come in and to slide out of the windows of a day, and for each burst to open alerts that resolve.
HOURS = 9
#: In the hours before that too one of them sends something in each.
SENT_HOURS = 24
#: What was left out: the incident is declared when the judging begins, and has an hour of it to come. Seven hours
#: later its first mail is older than a day.
INCIDENT = (NOON - (HOURS + 17) * HOUR) * 1000, (NOON - (HOURS - 1) * HOUR) * 1000


def rate(metric: Any, *windows: str, name: str = "", **more: Any) -> Rule:
    levels = Levels(watch=0.02, warning=0.06, excessive=0.1)
    fields: dict[str, Any] = {
        "windows": windows or ("1h", "24h", "7d"),
        "min_volume": 60,
        "levels": levels,
        "hold_minutes": 90,
    }
    return Rule(name=name or metric, metric=metric, **({"hold_minutes": 90} | fields | more))


POLICY = Policy(
    rules=(
        rate("failure"),
        rate("block", "5m", "24h"),
        rate("complaint", levels=Levels(watch=0.002, warning=0.004)),
        rate("unsubscribe", "24h"),
        rate("exposure", "24h", "7d"),
        rate("failure", "24h", name="to_some", providers=("gmail", "microsoft")),
        rate("unwanted", "24h", levels=Levels(watch=0.0002)),
        rate("sms_gateway", "24h", levels=Levels(watch=0.1)),
        rate("unregistered_from", "24h", "7d", levels=Levels(watch=0.3)),
        rate("failure_burn", "5m", "1h", allowance=0.01, period="7d", levels=Levels(watch=2, warning=14)),
        Rule(name="spike", metric="volume_spike", windows=("1h",), min_volume=50, levels=Levels(watch=4, warning=12)),
        Rule(name="listed", metric="critical_listing", windows=("24h",), levels=Levels(critical=1)),
        Rule(name="hours", metric="listed_hours", windows=("24h",), levels=Levels(watch=1, warning=5)),
        Rule(name="new", metric="new_from_domain", windows=("24h",), levels=Levels(watch=1), least_mail=50),
        Rule(name="gmail", metric="reported_spam", windows=("24h", "7d"), levels=Levels(watch=0.001, warning=0.003)),
    ),
    windows=("5m", "1h", "24h", "7d"),
    scopes=("customer", "stream", "class", "sub_account"),
    overrides=(Override(customer="dept", rule="failure", reason="agreed", levels=Levels(excessive=0.4)),),
)


class Told:
    """A monitor that judges at each full hour what has come until then, as time goes by."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self.store, self.policy = store, policy
        self.sent: list[AlertEvent] = []
        settings = MonitorSettings(long_windows_every_s=0, alone_wait_s=0)
        self.judge = BatchJudge(store, policy, providers.load_providers(), self._publish, lambda: None, settings)

    def _publish(self, topic: str, _key: bytes, value: bytes) -> None:
        if topic == REPUTATION_ALERTS:
            self.sent.append(msgspec.json.decode(value, type=AlertEvent))

    def judged(self, now_s: int) -> None:
        now_ms = now_s * 1000
        merged = with_stored(self.policy, stored_overrides(self.store, now_ms), now_ms)
        if merged != self.judge.policy:
            self.judge.set_policy(merged)
        self.judge.refresh_incidents(now_ms)
        self.judge.judge_customers(self.judge.everybody(now_ms) | set(CUSTOMERS), now_ms)
        self.judge.judge_pools(now_ms)


def happened(seed: int) -> list[Mail]:
    """Nine days of mail, none in the first minutes of an hour: what is judged on the hour counts those too."""
    mail = random_mail(seed, CUSTOMERS, 700, 9 * DAY, now=NOON)
    chance = random.Random(seed)
    # One sends little and stops, one sends only now and then, so that subjects come and go.
    mail = [each for each in mail if each.customer != "corp" or each.at < NOON - (HOURS - 1) * HOUR]
    for hour in range(SENT_HOURS):
        much = 9_000 if hour in (HOURS - 6, HOURS - 1) else 300
        at = NOON - hour * HOUR - 3 * MINUTE
        mail.append(Mail(at, "beta", delivered=much, hard=chance.choice((0, 0, 40)), block=chance.choice((0, 30))))
    return [each._replace(at=each.at // HOUR * HOUR + 2 * MINUTE + each.at % (58 * MINUTE)) for each in mail]


def spam_rates(seed: int) -> list[ProviderReading]:
    """What Gmail reports of each customer's domain and day; of some days nothing."""
    chance = random.Random(seed)
    return [
        ProviderReading(
            source="postmaster",
            resource=f"a.{name}.example",
            day=at(NOON - back * DAY).date(),
            measure="spam_rate",
            rate=chance.choice((0.0, 0.0009, 0.001, 0.004)),
        )
        for name in (*CUSTOMERS, SILENT)
        for back in range(1, 10)
        if chance.random() < 0.4
    ]


def came(store: Store, mail: Sequence[Mail], since: int, until: int) -> None:
    """All that came from `since` on and before `until` (epoch s)."""
    new = [each for each in mail if since <= each.at < until]
    store_mail(store, new)
    unwanted = [each for each in new if each.at % 7 == 0]
    if unwanted:
        columns: dict[str, list[Any]] = {
            "customer": [each.customer for each in unwanted],
            "stream": [each.stream for each in unwanted],
            "time": [datetime.fromtimestamp(each.at, UTC) for each in unwanted],
            "id": [f"{each.at // (9 * HOUR)}" for each in unwanted],
        }
        store.insert("unwanted_mail", columns)
    for address, at in (("192.0.2.1", NOON - 50 * HOUR), ("192.0.2.9", NOON - 5 * HOUR - MINUTE)):
        if since <= at < until:
            row: dict[str, Any] = {"resource": address, "kind": "ip", "zone": "bl.example", "weight": "critical"}
            row |= {"type": "listed", "id": address, "confirmed": True, "time": datetime.fromtimestamp(at, UTC)}
            store.insert("listing_events", {name: [value] for name, value in row.items()})


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def decided(store: Store, hour: int, now_ms: int) -> None:
    """What people do in the course of it."""
    who: Any = {"by": "Ida", "why": "agreed", "now_ms": now_ms}
    if hour == 2:
        add_override(store, POLICY, "acme", "failure", "watch", now_ms + 5 * HOUR * 1000, stream="", **who)
    if hour == 3:
        add_override(store, POLICY, "beta", "block", "none", now_ms + 9 * DAY * 1000, stream="", **who)
    if hour == 8:
        (found,) = [each for each in stored_overrides(store, now_ms) if each.customer == "beta"]
        end_override(store, found.id, **who)
    if hour in (4, 8):
        give_fresh_start(store, "acme", **who)
    if hour == 6:
        give_fresh_start(store, "dept", **who)


def replayed(store: Store, policy: Policy, since_s: int) -> Iterator[tuple[Any, ...]]:
    extent = Extent.of((policy,), since_s * 1000, NOON * 1000)
    hourly = Hourly(store, extent, LOOP, policies=(policy,))
    said = [each for part in hourly.portions(hourly.customers()) for each in transitions(part, [policy])[0]]
    said += PoolReplay(store, extent, (policy,), LOOP).transitions()[0]
    for each in said:
        whose = each.customer, each.scope, each.rule
        yield each.time_ms, *whose, each.kind, each.previous_level, each.level, each.episode, each.transition


def reported(sent: Sequence[AlertEvent]) -> Iterator[tuple[Any, ...]]:
    for event in sent:
        each = event.data
        at = round(datetime.fromisoformat(event.time).timestamp() * 1000)
        whose = each.customer, each.scope, each.rule
        yield at, *whose, each.kind, each.previous_level, each.level, each.episode, each.transition


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which incidents are found depends on when it is looked; here there is one that somebody declared. And nobody
    waits some minutes for the rest of a scan, since it is judged but once an hour."""
    monkeypatch.setattr("streams.incidents.watch.IncidentWatch._look", lambda *_: None)
    monkeypatch.setattr("streams.monitor.batch.Settling.waiting", lambda *_: {})


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", range(2))
def test_replay_says_what_the_monitor_said(store: Store, seed: int) -> None:
    begin = NOON - HOURS * HOUR
    mail = sorted(happened(seed))
    mail += [Mail(NOON - hours * HOUR + 5 * MINUTE, "dept", ip="192.0.2.9", delivered=90) for hours in (60, 7, 4)]
    mail.sort()
    registered = [Customer(customer=name, plan="", domains=(f"a.{name}.example",)) for name in (*CUSTOMERS, SILENT)]
    store_list(store, registered, whole=False, by="Ida", why="", now_ms=begin * 1000)
    who: Any = {"by": "Ida", "why": "theirs", "now_ms": begin * 1000}
    declare_incident(store, "yahoo", *INCIDENT, providers=("yahoo",), **who)
    store_readings(store, spam_rates(seed), Ingest(), begin * 1000)
    told = Told(store, POLICY)
    came(store, mail, 0, begin)
    told.judged(begin)
    for hour in range(1, HOURS + 1):
        now_s = begin + hour * HOUR
        came(store, mail, now_s - HOUR, now_s)
        decided(store, hour, (now_s - 25 * MINUTE) * 1000 + 77)
        told.judged(now_s)
    expected = sorted(reported(told.sent))
    found = sorted(replayed(store, POLICY, begin))

    assert [each for each in expected if each not in found] == [], "not replayed"
    assert [each for each in found if each not in expected] == [], "replayed only"
    assert found == expected
    rules = {each[3] for each in expected}
    assert rules >= {"failure", "block", "complaint", "failure_burn", "to_some", "unregistered_from", "gmail"}
    assert {each[3] for each in expected if each[1] == SILENT} == {"gmail"}
    assert {each[2].partition(":")[0] for each in expected} >= {"customer", "stream", "class", "sub_account"}
    assert {each[4] for each in expected} >= {"opened", "resolved", "overridden", "override-ended"}


HELD = msgspec.structs.replace(
    POLICY,
    rules=(rate("failure", "1h", "24h"), rate("block", "24h"), rate("failure_burn", "1h", allowance=0.01, period="7d")),
    scopes=("customer", "stream"),
    overrides=(),
    brake=Brake(customers=1, share=0.0),
)


@pytest.mark.usefixtures("at_once")
def test_replay_knows_what_operators_released(store: Store) -> None:
    """Two rise together and are held, one is released and one confirmed. Late bounces of the old mail do not accuse the
    released one, who is found again by another bad list."""
    begin = NOON - 14 * HOUR
    good = [Mail(begin - hour * HOUR + MINUTE, name, delivered=90) for hour in range(50) for name in CUSTOMERS]
    bad = [Mail(begin + hour * HOUR + 2 * MINUTE, "acme", delivered=300, hard=99) for hour in (1, 10)]
    bad += [Mail(begin + HOUR + 2 * MINUTE, "beta", delivered=300, hard=80, block=90)]
    bad += [
        Mail(begin + hour * HOUR + 3 * MINUTE, each, delivered=50) for hour in range(14) for each in ("acme", "beta")
    ]
    mail, told = sorted(good + bad), Told(store, HELD)
    for hour in range(14):
        now_s = begin + hour * HOUR
        came(store, mail, now_s - HOUR if hour else 0, now_s)
        if hour == 6:
            store_mail(store, [Mail(begin + HOUR + 2 * MINUTE, "acme", hard=60)])
        if hour == 4:
            at_ms = (now_s - 25 * MINUTE) * 1000 + 77
            for name in ("acme", "beta"):
                decide_hold(store, "", confirm=name == "beta", customer=name, by="Ida", why="seen", now_ms=at_ms)
        told.judged(now_s)
    people = ("held", "confirmed")
    expected = sorted(each[:-1] for each in reported(told.sent) if each[4] not in people)
    found = sorted(each[:-1] for each in replayed(store, HELD, begin) if each[0] < (begin + 14 * HOUR) * 1000)
    assert [each for each in expected if each not in found] == [], "not replayed"
    assert [each for each in found if each not in expected] == [], "replayed only"
    kinds = {(each[1], each[4], each[0] // 1000 - begin) for each in expected if each[3] == "failure"}
    assert {("acme", "opened", 2 * HOUR), ("acme", "resolved", 4 * HOUR), ("acme", "opened", 11 * HOUR)} <= kinds
    said = "\n".join(lines(try_policy(store, HELD, HELD, LOOP, begin * 1000, NOON * 1000)))
    assert "in force: the brake may have held 2 customers in the hour before" in said
    assert "more than 1: acme, beta" in said
    assert "of held customers operators confirmed 1 and released 1; " in said


SMALL = [f"small{number}" for number in range(9)]
TOGETHER = msgspec.structs.replace(
    POLICY,
    rules=(
        rate("failure", min_volume=150),
        rate("block", "5m", "24h", min_volume={"5m": 20, "24h": 150}),
        rate("complaint", "24h", "7d", min_volume=90, levels=Levels(watch=0.005, warning=0.02)),
        rate("exposure", "24h", "7d"),
        Rule(name="listed", metric="critical_listing", windows=("24h",), levels=Levels(critical=1)),
        Rule(name="hours", metric="listed_hours", windows=("24h",), levels=Levels(watch=1, warning=5)),
    ),
    scopes=("pool", "from", "plan"),
    overrides=(),
)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", range(1))
def test_replay_says_what_was_said_of_small_customers_together(store: Store, seed: int) -> None:
    begin = NOON - HOURS * HOUR
    chance = random.Random(seed)
    mail = [
        each._replace(
            at=each.at // HOUR * HOUR + 2 * MINUTE + each.at % (58 * MINUTE),
            domain=chance.choice(("one.example", "two.example")),
            delivered=each.delivered // 9,
            hard=each.hard // 4 + each.undated_hard,
        )
        for each in random_mail(seed, SMALL, 500, 9 * DAY, now=NOON)
    ]
    # In one hour some of them are blocked in its last minutes.
    at_s = begin + 3 * HOUR - 3 * MINUTE
    mail += [Mail(at_s, name, domain="one.example", delivered=9, block=5) for name in SMALL[3:6]]
    mail.sort()
    plans = [Customer(customer=name, plan=chance.choice(("free", "paid")), domains=()) for name in SMALL]
    store_list(store, plans, whole=False, by="Ida", why="", now_ms=begin * 1000)
    who: Any = {"by": "Ida", "why": "theirs", "now_ms": begin * 1000}
    declare_incident(store, "yahoo", *INCIDENT, providers=("yahoo",), **who)
    told = Told(store, TOGETHER)
    causes = ListingCauses(store, {})
    event = {"sending_ip": "192.0.2.1", "ip_pool": "east", "customer": "small1", "type": "bounced", "source": "e"}
    store.insert("events", {name: [value] for name, value in (event | {"time": at(NOON - 51 * HOUR)}).items()})
    for hour in range(HOURS + 1):
        now_s = begin + hour * HOUR
        came(store, mail, now_s - HOUR if hour else 0, now_s)
        causes.refresh(now_s * 1000)
        for name in SMALL[:3] if hour in (4, 8) else ():
            give_fresh_start(store, name, by="Ida", why="", now_ms=(now_s - 25 * MINUTE) * 1000 + 77)
        told.judged(now_s)
    expected = sorted(reported(told.sent))
    found = sorted(replayed(store, TOGETHER, begin))
    assert [each for each in expected if each not in found] == [], "not replayed"
    assert [each for each in found if each not in expected] == [], "replayed only"
    assert {each[3] for each in expected} >= {"failure", "block", "complaint", "listed"}
    assert {each[2].partition(":")[0] for each in expected} == {"pool", "from", "plan"}
