"""Who the mail went to and which domains it came from, read from the store: by the monitor, and for a moment."""

from datetime import UTC, datetime

import pytest

from jobs.operator.customers import set_customer
from jobs.operator.incidents import declare_incident
from schemas.counts import SubjectCounts
from schemas.policy import Policy
from schemas.policy_metric import USE, Metric
from schemas.policy_rule import Levels, Rule
from schemas.times import DAY_MS, HOUR_MS
from streams.io.store import Store
from streams.windows.current import Windows
from streams.windows.past import counts_at

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = 1_790_000_000_000
WINDOWS = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}


def rule(metric: Metric) -> Rule:
    least = {"least_mail": 100} if metric == "new_from_domain" else {}
    return Rule(name=metric, metric=metric, windows=tuple(WINDOWS), levels=Levels(watch=1), **least)  # type: ignore[arg-type]


POLICY = Policy(windows=tuple(WINDOWS), rules=tuple(rule(metric) for metric in sorted(USE - {"reported_spam"})))


def sent(store: Store, hours_ago: float, dimension: str, value: str, *, stream: str = "news", **counts: int) -> None:
    """Mail in one dimension; in that of providers it is counted with it."""
    at = datetime.fromtimestamp((NOW_MS - hours_ago * HOUR_MS) // 60_000 * 60, UTC)
    row = {"customer": "acme", "stream": stream, "bucket": at, "source": "t:x:0"}
    rows = [{**row, "dimension": dimension, "value": value, **counts}]
    if dimension != "provider":
        rows.append({**row, "dimension": "provider", "value": "yahoo", **counts})
    for each in rows:
        store.insert("counts", {name: [value] for name, value in each.items()})


def read(store: Store) -> SubjectCounts:
    """All of the customer's mail; the monitor and a reader of this moment must read the same."""
    reading = Windows(store, WINDOWS, ["yahoo"], 0, 0, used=POLICY.used, least_new=POLICY.least_new)
    subjects, _ = reading.read(["acme", "nobody"], NOW_MS)
    found = [subjects.one(place) for place in range(len(subjects))]
    assert counts_at(store, "acme", WINDOWS, ["yahoo"], NOW_MS, include_later=True, policy=POLICY) == found
    return found[0]


def reported(store: Store, field: str) -> list[int]:
    return [getattr(read(store).windows[name], field) for name in WINDOWS]


def test_mail_to_telephones_is_counted_of_all_that_left(store: Store) -> None:
    sent(store, 0.5, "provider", "sms_gateway", delivered=5, hard=1, deferred=7)
    sent(store, 30, "provider", "sms_gateway", delivered=2)
    sent(store, 0.5, "provider", "gmail", delivered=90)
    assert reported(store, "gateway") == [6, 6, 8]


def test_hours_of_an_incident_add_nothing_to_what_is_divided_by_other_mail(store: Store) -> None:
    """Half of that hour's mail is left out, so what remains of it must not seem to go to telephones."""
    sent(store, 2, "provider", "sms_gateway", delivered=20)
    sent(store, 2, "provider", "gmail", hard=900)
    sent(store, 5, "provider", "sms_gateway", delivered=3)
    at_ms = NOW_MS - 2 * HOUR_MS
    declare_incident(store, "gmail", at_ms, at_ms + 1, providers={"gmail"}, by="ann", why="outage", now_ms=NOW_MS)
    assert reported(store, "gateway") == [0, 3, 3]


def test_mail_from_unregistered_domains_is_that_of_no_registered_one(store: Store) -> None:
    """Nor of a domain below a registered one."""
    set_customer(store, "acme", plan=None, domains=["acme.example"], by="ann", why="", now_ms=NOW_MS)
    for domain in ("acme.example", "news.acme.example", "notacme.example", "acme.example.org"):
        sent(store, 2, "from", domain, delivered=10)
    assert reported(store, "from_known") == [0, 40, 40]
    assert reported(store, "from_unregistered") == [0, 20, 20]


def test_who_registered_no_domain_has_no_unregistered_mail(store: Store) -> None:
    set_customer(store, "acme", plan="free", domains=None, by="ann", why="", now_ms=NOW_MS)
    sent(store, 2, "from", "acme.example", delivered=10)
    assert reported(store, "from_known") == [0, 0, 0]


def test_domain_never_used_before_is_new_in_windows_back_to_its_first_mail(
    store: Store,
) -> None:
    """In windows that reach back to its first mail."""
    sent(store, 20 * 24, "from", "acme.example", delivered=1)
    sent(store, 0.5, "from", "acme.example", delivered=1_000)
    sent(store, 30, "from", "sudden.example", delivered=60)
    sent(store, 0.5, "from", "sudden.example", delivered=60, stream="receipts")
    sent(store, 0.5, "from", "tiny.example", delivered=99)
    assert reported(store, "new_from_domains") == [0, 0, 1]


def test_domains_of_a_customer_that_is_itself_new_are_not_sudden(store: Store) -> None:
    sent(store, 3, "from", "acme.example", delivered=1_000)
    sent(store, 0.5, "from", "other.example", delivered=1_000)
    assert reported(store, "new_from_domains") == [1, 0, 0], "within the hour it is: the customer was there before"


def test_mail_to_people_who_refused_it_counts_once_a_message(store: Store) -> None:
    for hours_ago in (0.5, 30.0):
        sent(store, hours_ago, "provider", "yahoo", delivered=10)
    for position, (message, hours_ago) in enumerate((("m1", 0.5), ("m1", 0.5), ("m2", 30))):
        at = datetime.fromtimestamp((NOW_MS - hours_ago * HOUR_MS) / 1000, UTC)
        row = {"customer": "acme", "stream": "news", "time": at, "id": message, "position": position}
        store.insert("unwanted_mail", {name: [value] for name, value in row.items()})
    assert reported(store, "unwanted") == [1, 1, 2]


def test_nothing_of_it_is_read_where_no_rule_asks(store: Store) -> None:
    sent(store, 0.5, "provider", "sms_gateway", delivered=5)
    subjects, _ = Windows(store, WINDOWS, ["yahoo"], 0, 0).read(["acme"], NOW_MS)
    assert subjects.one(0).windows["1h"].gateway == 0
