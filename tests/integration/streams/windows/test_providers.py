"""Mail to some mailbox providers judged by itself: read by the monitor, for a moment, and as evidence."""

from datetime import UTC, datetime

import pytest

from schemas.counts import SubjectCounts
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from schemas.times import HOUR_MS
from streams.io.store import Store
from streams.windows.current import Windows
from streams.windows.past import counts_at
from tests.support.evidence import collect

pytestmark = pytest.mark.usefixtures("standing_clock")

NOW_MS = 1_790_000_000_000
WINDOWS = {"24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS}
GROUP = ("microsoft", "microsoft_365")
POLICY = Policy(
    windows=tuple(WINDOWS),
    rules=(Rule(name="there", metric="block", windows=("24h", "7d"), levels=Levels(warning=0.2), providers=GROUP),),
)


@pytest.fixture(autouse=True)
def mail(store: Store) -> None:
    """Two customers; one of them has two streams, of which one sends nothing to Microsoft."""
    for customer, stream, provider, hours_ago, delivered, block in (
        ("acme", "news", "microsoft", 1, 10, 5),
        ("acme", "news", "microsoft_365", 2, 20, 1),
        ("acme", "news", "microsoft", 30, 100, 0),
        ("acme", "news", "gmail", 1, 1_000, 7),
        ("acme", "receipts", "gmail", 1, 50, 0),
        ("beta", "news", "yahoo", 1, 70, 2),
    ):
        at = datetime.fromtimestamp((NOW_MS - hours_ago * HOUR_MS) // 60_000 * 60, UTC)
        row = {"customer": customer, "stream": stream, "value": provider, "bucket": at, "source": "t:x:0"}
        row |= {"dimension": "provider", "delivered": delivered, "block": block}
        store.insert("counts", {name: [value] for name, value in row.items()})


def there(subject: SubjectCounts) -> dict[str, tuple[int, int]]:
    return {name: (each.delivered, each.block) for name, each in subject.mail_to(GROUP).items()}


def test_mail_to_a_group_of_providers_is_counted_for_customers_and_streams(store: Store) -> None:
    subjects, _ = Windows(store, WINDOWS, [], 0, 0, mail_to=POLICY.mail_to).read(["acme", "beta"], NOW_MS)
    found = {(each.customer, each.scope): each for each in map(subjects.one, range(len(subjects)))}
    assert {whose: there(each) for whose, each in found.items()} == {
        ("acme", "customer"): {"24h": (30, 6), "7d": (130, 6)},
        ("acme", "stream:news"): {"24h": (30, 6), "7d": (130, 6)},
        ("acme", "stream:receipts"): {"24h": (0, 0), "7d": (0, 0)},
        ("beta", "customer"): {"24h": (0, 0), "7d": (0, 0)},
    }
    assert found["acme", "customer"].windows["24h"].delivered == 1_080
    at_once = counts_at(store, "acme", WINDOWS, [], NOW_MS, include_later=True, policy=POLICY)
    assert at_once == [each for (customer, _), each in found.items() if customer == "acme"]


def test_long_windows_of_a_group_are_kept_for_a_while(store: Store) -> None:
    windows = Windows(store, WINDOWS, [], 60_000, 10, mail_to=POLICY.mail_to)
    windows.read(["acme"], NOW_MS)
    store.run("ALTER TABLE counts DELETE WHERE value != 'gmail' SETTINGS mutations_sync = 2")
    subjects, again = windows.read(["acme"], NOW_MS + 1_000)
    assert there(subjects.one(0)) == {"24h": (0, 0), "7d": (130, 6)}
    assert [customer for customer, _ in again] == ["acme"]
    windows.forget()
    assert there(windows.read(["acme"], NOW_MS + 1_000)[0].one(0)) == {"24h": (0, 0), "7d": (0, 0)}


def test_evidence_is_of_the_mail_to_the_group(store: Store) -> None:
    subject = ("acme", "customer")
    found = collect(store, [subject], "block", WINDOWS["24h"], [], NOW_MS, mail_to=GROUP)[subject]
    assert [(each.name, each.count) for each in found.providers] == [("microsoft", 5), ("microsoft_365", 1)]
