"""The spam rate that Gmail reports, as it is judged: the worst day of a window, and unknown where nothing is said."""

from datetime import UTC, datetime, timedelta

import pytest

from api.explain.build import explain
from api.text.explanation import lines
from jobs.poll.reading import ProviderReading
from jobs.poll.stored import store_readings
from schemas.policy import Policy
from schemas.policy_rule import Levels, Rule
from schemas.providers import load_providers
from schemas.settings import Ingest
from streams.io.store import Store
from streams.judge.verdict import Verdict, judge
from streams.monitor.batch import BatchJudge
from streams.windows.current import window_counts
from streams.windows.past import counts_at
from tests.support.evidence import collect
from tests.support.scans import DAY, MINUTE, NOW

pytestmark = pytest.mark.usefixtures("standing_clock")

RULE = Rule(name="gmail", metric="reported_spam", windows=("3d", "7d"), levels=Levels(watch=0.001, warning=0.003))
POLICY = Policy(rules=(RULE,), windows=("24h", "3d", "7d"))
TODAY = datetime.fromtimestamp(NOW / 1000, UTC).date()
WINDOWS = {"24h": DAY, "3d": 3 * DAY, "7d": 7 * DAY}


def report(store: Store, *rates: tuple[int, float], domain: str = "acme.com") -> None:
    """Rates of so many days ago."""
    store_readings(
        store,
        [
            ProviderReading(
                source="postmaster", resource=domain, day=TODAY - timedelta(days=ago), measure="spam_rate", rate=rate
            )
            for ago, rate in rates
        ],
        Ingest(domain_owners={"acme.com": "acme"}),
        NOW,
    )


def verdict(store: Store) -> Verdict:
    (found,) = window_counts(store, ["acme"], WINDOWS, ["yahoo"], NOW, POLICY)
    return judge(found, POLICY, NOW).verdicts[0]


@pytest.fixture
def sending(store: Store) -> Store:
    store.insert(
        "counts",
        {
            "dimension": ["provider"],
            "customer": ["acme"],
            "stream": ["default"],
            "class": ["bulk"],
            "bucket": [datetime.fromtimestamp((NOW - MINUTE) // MINUTE * 60, UTC)],
            "value": ["gmail"],
            "source": ["mail.events/1/0"],
            "delivered": [500],
        },
    )
    return store


@pytest.mark.parametrize(
    ("rates", "level", "window", "rate"),
    [
        ([(2, 0.0009)], "good", "3d", 0.0009),
        ([(2, 0.001)], "watch", "3d", 0.001),
        ([(2, 0.0031), (3, 0.0002)], "warning", "3d", 0.0031),
        ([(2, 0.0002), (5, 0.004)], "warning", "7d", 0.004),
        ([(2, 0.0), (8, 0.004)], "good", "3d", 0.0),
    ],
)
def test_worst_day_of_a_window_is_judged_as_it_is_said(
    sending: Store, rates: list[tuple[int, float]], level: str, window: str, rate: float
) -> None:
    report(sending, *rates)
    found = verdict(sending)
    assert (str(found.level), found.window) == (level, window)
    assert found.rate == pytest.approx(rate)
    assert (found.lower, found.upper, found.confidence) == (found.rate, found.rate, 1.0)


@pytest.mark.parametrize("rates", [[], [(9, 0.5)], [(0, 0.5)]])
def test_window_without_a_reported_day_that_is_over_is_unknown(sending: Store, rates: list[tuple[int, float]]) -> None:
    report(sending, *rates)
    found = verdict(sending)
    assert found.insufficient_volume
    assert found.denominator == 0


def test_who_has_no_mail_in_any_window_is_judged_by_what_is_reported(store: Store) -> None:
    assert window_counts(store, ["acme"], WINDOWS, ["yahoo"], NOW, POLICY) == []
    report(store, (2, 0.0031))
    found = verdict(store)
    assert (str(found.level), found.window, found.denominator > 0) == ("warning", "3d", True)
    (then,) = counts_at(store, "acme", WINDOWS, ["yahoo"], NOW, include_later=True, policy=POLICY)
    assert judge(then, POLICY, NOW).verdicts[0] == found
    assert window_counts(store, ["acme"], WINDOWS, ["yahoo"], NOW) == [], "no rule asks for it"


def test_everybody_of_whom_something_is_reported_is_judged_now_and_then(store: Store) -> None:
    report(store, (2, 0.0031))
    monitor = BatchJudge(store, POLICY, load_providers(), lambda *_: None, lambda: None)
    assert monitor.everybody(NOW) == {"acme"}
    assert monitor.everybody(NOW + 30 * DAY) == set()


def test_domain_of_nobody_alone_is_held_against_nobody(sending: Store) -> None:
    report(sending, (2, 0.5), domain="shared.example")
    assert verdict(sending).insufficient_volume


def test_corrected_day_is_judged_as_corrected(sending: Store) -> None:
    report(sending, (2, 0.5))
    store_readings(
        sending,
        [
            ProviderReading(
                source="postmaster", resource="acme.com", day=TODAY - timedelta(days=2), measure="spam_rate", rate=0.0
            )
        ],
        Ingest(domain_owners={"acme.com": "acme"}),
        NOW + MINUTE,
    )
    assert verdict(sending).level == "good"


def test_explanation_says_what_was_reported_and_where_nothing_was(sending: Store) -> None:
    def said() -> list[str]:
        found = explain(sending, "acme", POLICY, ["yahoo"], NOW, past=False)
        assert found is not None
        return [line.strip() for line in lines(found) if "gmail" in line or " 3d " in line or " 7d " in line]

    assert said() == ["gmail: nothing reported", ">   3d  nothing reported", "7d  nothing reported"]
    report(sending, (4, 0.0031))
    assert said() == ["gmail: warning", "3d  nothing reported", ">   7d  0.31 % (warning at 0.30 % or above)"]


def test_counts_of_the_past_are_those_of_now(sending: Store) -> None:
    report(sending, (2, 0.001), (5, 0.004))
    now = window_counts(sending, ["acme"], WINDOWS, ["yahoo"], NOW, POLICY)
    then = counts_at(sending, "acme", WINDOWS, ["yahoo"], NOW, include_later=True, policy=POLICY)
    assert [judge(each, POLICY, NOW).verdicts for each in then] == [judge(each, POLICY, NOW).verdicts for each in now]


def test_evidence_names_the_days_and_domains_the_worst_first(sending: Store) -> None:
    report(sending, (8, 0.009), (5, 0.004), (2, 0.0031), (1, 0.0002))
    report(sending, (2, 0.0035), domain="news.acme.com")
    report(sending, (2, 0.5), domain="other.example")
    found = collect(sending, [("acme", "customer")], "reported_spam", 7 * DAY, [], NOW)
    assert [(each.domain, each.day, each.rate) for each in found["acme", "customer"].reported] == [
        (domain, f"{TODAY - timedelta(days=ago)}", rate)
        for domain, ago, rate in (
            ("acme.com", 5, 0.004),
            ("news.acme.com", 2, 0.0035),
            ("acme.com", 2, 0.0031),
            ("acme.com", 1, 0.0002),
        )
    ]
