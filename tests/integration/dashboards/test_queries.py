"""Every query of the dashboard, run on the migrated tables as Grafana's ClickHouse plugin would send it.

Macros are expanded as the plugin documents them ("ClickHouse query editor", Macros), variables as Grafana
does with the format `singlequote`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.customer import VARIABLE
from dashboards.model import TIME_SERIES, Panel
from dashboards.rates import COMPLAINABLE, COMPLAINED, EVERYBODY, rate_over_time
from dashboards.reputation import build_dashboard
from jobs.operator.suspensions import suspend, unsuspend
from jobs.setup.migrate import migrate
from schemas.settings import ClickHouse
from streams.io.store import Store, open_store

INTERVAL_S = 300
#: On an interval's begin, so that the first bucket is whole. Near now for the listings' last 48 hours.
TO = datetime.fromtimestamp(datetime.now(UTC).timestamp() // INTERVAL_S * INTERVAL_S, UTC)
FROM = TO - timedelta(hours=6)
EARLIER = FROM - timedelta(hours=1)
FEEDBACK_LOOP = ("yahoo", "microsoft")
DASHBOARD = build_dashboard(FEEDBACK_LOOP)
PANELS = {f"{panel.title}": panel for panel in DASHBOARD.panels if isinstance(panel, Panel)}

COUNTS: list[dict[str, Any]] = [
    {"dimension": "provider", "customer": "good-ltd", "value": "yahoo", "bucket": FROM, "delivered": 9000},
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": FROM,
        "delivered": 1000,
        "complained": 5,
    },
    # The same key from a second source: both count.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": FROM,
        "source": "t:1",
        "hard": 60,
        "late_hard": 10,
        "expired": 10,
    },
    # No feedback loop: neither its deliveries nor a stray complaint enter the complaint rate.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "gmail",
        "bucket": FROM,
        "delivered": 4000,
        "complained": 7,
        "block": 40,
    },
    # An hour before the range: seen only by the line of the last 24 hours.
    {
        "dimension": "provider",
        "customer": "bad'co",
        "value": "yahoo",
        "bucket": EARLIER,
        "delivered": 1000,
        "complained": 15,
    },
    {
        "dimension": "ip",
        "customer": "bad'co",
        "value": "192.0.2.1",
        "bucket": FROM,
        "delivered": 900,
        "hard": 100,
    },
    {"dimension": "ip", "customer": "good-ltd", "value": "192.0.2.1", "bucket": FROM, "delivered": 9000},
    {"dimension": "from", "customer": "bad'co", "value": "listed.example", "bucket": FROM, "delivered": 900},
    {
        "dimension": "pool",
        "customer": "bad'co",
        "value": "shared",
        "bucket": FROM,
        "delivered": 5000,
        "hard": 60,
    },
    {"dimension": "offset", "customer": "", "value": "", "bucket": FROM, "last_offset": 6},
]


def standing(customer: str, level: str, scope: str = "customer", version: int = 0, **rates: float) -> dict[str, Any]:
    return {
        "customer": customer,
        "scope": scope,
        "standing": level,
        "updated": FROM + timedelta(seconds=version),
        "since": FROM,
        "volume": 1000,
        "reasons": ["complaints"] if level == "excessive" else [],
        "policy_version": "p1",
        "complaint_rate": rates.get("complaint", 0.0),
        "overall_score": 40,
    }


STANDINGS = [
    standing("bad'co", "good"),
    standing("bad'co", "excessive", version=1, complaint=0.005),
    standing("bad'co", "watch", scope="stream:news"),
    standing("good-ltd", "good"),
    standing("quiet", "insufficient_volume"),
    standing("sly\\", "critical"),
]

ALERTS = [
    {
        "customer": "bad'co",
        "time": FROM + timedelta(minutes=minute),
        "id": name,
        "scope": "customer",
        "rule": "complaints",
        "kind": kind,
        "level": level,
        "window": "24h",
        "numerator": 5,
        "denominator": 1000,
        "rate": 0.005,
        "lower": 0.0031,
        "threshold": 0.003,
    }
    for minute, name, kind, level in (
        (1, "a", "opened", "warning"),
        (1, "a", "opened", "warning"),
        (2, "b", "escalated", "excessive"),
        (3, "c", "resolved", "good"),
    )
]

LISTINGS = [
    {"resource": resource, "kind": "ip", "zone": zone, "time": FROM + timedelta(minutes=minute), "type": kind,
     "weight": "critical", "id": f"{resource}{zone}{minute}", "meaning": "spam source"}
    for resource, zone, minute, kind in (
        ("192.0.2.1", "bl.example", 0, "listed"),
        ("192.0.2.1", "bl.example", 1, "delisted"),
        ("192.0.2.1", "bl.example", 2, "listed"),
        ("192.0.2.1", "bl.example", 3, "still_listed"),
        ("192.0.2.1", "bl.example", 4, "check_failed"),
        ("192.0.2.9", "bl.example", 0, "listed"),
        ("192.0.2.9", "bl.example", 1, "delisted"),
        ("listed.example", "dbl.example", 5, "listed"),
    )
]  # fmt: skip

#: The listing in force, one that ended in the time shown after an hour of it, and one that ended before.
CAUSES = [
    {"resource": resource, "kind": "ip", "zone": "bl.example", "began": began, "weight": weight, "confirmed": True,
     "ended": ended, "pool": pool, "attributed": "shared", "users": 2, "customers": ["bad'co", "good-ltd"],
     "shares": shares}
    for resource, began, ended, weight, pool, shares in (
        ("192.0.2.1", FROM + timedelta(minutes=2), datetime.fromtimestamp(0, UTC), "critical", "", [0.8, 0.2]),
        ("192.0.2.5", EARLIER, FROM + timedelta(hours=1), "major", "gold", [0.0, 0.0]),
        ("192.0.2.6", EARLIER, FROM - timedelta(minutes=1), "major", "gold", [1.0, 0.0]),
    )
]  # fmt: skip

#: The list that still has 192.0.2.1 was last answered an hour before now.
LOOKED = datetime.now(UTC) - timedelta(hours=1)
LOOKS = [
    {"resource": "192.0.2.1", "zone": "bl.example", "looked": LOOKED - timedelta(hours=2), "updated": FROM},
    {"resource": "192.0.2.1", "zone": "bl.example", "looked": LOOKED, "updated": TO},
    {"resource": "192.0.2.1", "zone": "other.example", "looked": TO, "updated": TO},
]

EVENTS = [
    {"customer": "bad'co", "time": FROM + timedelta(seconds=number), "type": kind, "id": str(number),
     "provider": "gmail", "recipient_hash": str(number % 2), "bounce_kind": bounce_kind,
     "bounce_class": bounce_class, "diagnostic": f"answer {number}", "position": number}
    for number, (kind, bounce_kind, bounce_class) in enumerate(
        [("bounced", "hard", "invalid-recipient")] * 3 + [("complained", "", "")]
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def empty(chdb_path: Path) -> Iterator[Store]:
    yield from migrated(chdb_path, "dashboards_empty")


@pytest.fixture(scope="module")
def filled(chdb_path: Path) -> Iterator[Store]:
    for store in migrated(chdb_path, "dashboards_filled"):
        defaults = {"stream": "default", "class": "bulk", "source": "t:0", "last_offset": 0}
        numbers = sorted({name for row in COUNTS for name, value in row.items() if isinstance(value, int)})
        zeros = dict.fromkeys(numbers, 0)
        insert(store, "counts", [{**defaults, **zeros, **row} for row in COUNTS])
        insert(store, "standings", STANDINGS)
        insert(store, "alerts", ALERTS)
        insert(store, "listing_events", LISTINGS)
        insert(store, "listing_causes", CAUSES)
        insert(store, "blocklist_looks", LOOKS)
        insert(store, "events", EVENTS)
        yield store


def migrated(path: Path, database: str) -> Iterator[Store]:
    settings = ClickHouse(path=str(path), database=database)
    migrate(settings)
    store = open_store(settings)
    yield store
    store.close()


def insert(store: Store, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    store.insert(table, {name: [row[name] for row in rows] for name in rows[0]})


def expanded(sql: str, customer: str = "bad'co") -> str:
    """`sql` as the plugin sends it. A macro or variable that is not among those documented fails the test."""
    quoted = "'" + customer.replace("'", "\\'") + "'"
    start, end = (f"toDateTime({int(time.timestamp())})" for time in (FROM, TO))
    with_column: dict[str, Callable[[str], str]] = {
        "timeFilter": lambda column: f"{column} >= {start} AND {column} <= {end}",
        "timeInterval": lambda column: f"toStartOfInterval(toDateTime({column}), INTERVAL {INTERVAL_S} second)",
    }
    plain = {"fromTime": start, "toTime": end, "interval_s": str(INTERVAL_S)}
    sql = re.sub(r"\$__(\w+)\(([^()]*)\)", lambda found: with_column[found[1]](found[2]), sql)
    sql = re.sub(r"\$__(\w+)", lambda found: plain[found[1]], sql)
    return re.sub(r"\$\{(\w+):singlequote\}", lambda found: {"customer": quoted}[found[1]], sql)


def shown(store: Store, title: str, customer: str = "bad'co") -> list[dict[str, Any]]:
    (target,) = PANELS[title].targets
    return store.records(expanded(target.raw_sql, customer))


@pytest.mark.parametrize("title", PANELS)
def test_query_of_every_panel_runs_and_finds_something(filled: Store, title: str) -> None:
    rows = shown(filled, title)
    assert rows
    (target,) = PANELS[title].targets
    if target.format == TIME_SERIES:
        assert next(iter(rows[0])) == "time"
        assert all(isinstance(row["time"], datetime) for row in rows)
        assert any(value for name, value in rows[0].items() if name != "time")


@pytest.mark.parametrize("title", PANELS)
def test_query_of_every_panel_runs_on_empty_tables(empty: Store, title: str) -> None:
    rows = shown(empty, title)
    assert all(not value for row in rows for value in row.values())


def test_fleet_without_any_feedback_loop_has_no_complaint_rate(filled: Store) -> None:
    sql = rate_over_time(COMPLAINED, COMPLAINABLE, EVERYBODY, ())
    assert [row["This interval"] for row in filled.records(expanded(sql))] == [None]


@pytest.mark.parametrize("title", PANELS)
def test_every_column_that_a_panel_formats_is_one_its_query_returns(filled: Store, title: str) -> None:
    named = {override.matcher.options for override in PANELS[title].field_config.overrides}
    columns = set(shown(filled, title)[0])
    ratio_columns = {"Complaints", "Observable", "Failures", "Blocks", "Exposure"}
    assert named - columns <= ratio_columns


def test_customers_are_counted_once_each_by_their_latest_standing(filled: Store) -> None:
    counted = {"Critical": 1, "Excessive": 1, "Warning": 0, "Watch": 0, "Good": 1, "Too little mail": 1}
    counted |= {"Inactive": 0, "Suspended": 0, "Reinstated": 0}
    assert shown(filled, "Customers by standing") == [counted]


def test_suspended_customer_is_shown_so_with_what_it_is_judged(filled: Store) -> None:
    suspend(filled, "bad'co", by="Ida", why="under review", now_ms=int(FROM.timestamp() * 1000))
    (counted,) = shown(filled, "Customers by standing")
    assert (counted["Suspended"], counted["Excessive"]) == (1, 0)
    (worst,) = (each for each in shown(filled, "Worst customers") if each["Customer"] == "bad'co")
    assert worst["Standing"] == "suspended"
    of = {each["Of"]: (each["Standing"], each["Judged"]) for each in shown(filled, "Standing")}
    assert of == {"all mail": ("suspended", "excessive"), "stream:news": ("watch", "watch")}
    unsuspend(filled, "bad'co", by="Ida", why="", now_ms=int(FROM.timestamp() * 1000) + 1)
    assert shown(filled, "Customers by standing")[0]["Suspended"] == 0


def test_worst_customers_come_first(filled: Store) -> None:
    rows = shown(filled, "Worst customers")
    assert [row["Customer"] for row in rows] == ["sly\\", "bad'co", "good-ltd", "quiet"]
    assert (rows[1]["Standing"], rows[1]["Complaints"], rows[1]["Rules"]) == (
        "excessive",
        0.005,
        "complaints",
    )


def test_complaint_rate_counts_only_providers_with_a_feedback_loop(filled: Store) -> None:
    (fleet,) = shown(filled, "Fleet complaint rate")
    (one,) = shown(filled, "Complaint rate")
    assert fleet["This interval"] == pytest.approx(5 / 10_000)
    assert one["This interval"] == pytest.approx(5 / 1000)


def test_line_of_the_last_24_hours_reaches_back_before_the_range(filled: Store) -> None:
    (row,) = shown(filled, "Complaint rate")
    assert row["time"].replace(tzinfo=UTC) == FROM
    assert row["Last 24 h"] == pytest.approx(20 / 2000)


def test_late_bounce_makes_a_failure_of_a_delivery(
    filled: Store,
) -> None:
    """Without counting the recipient twice."""
    (row,) = shown(filled, "Failure rate")
    finished = 1000 + 4000 + 60 + 40 + 10 - 10
    assert row["This interval"] == pytest.approx((60 + 10) / finished)
    (blocks,) = shown(filled, "Block rate")
    assert blocks["This interval"] == pytest.approx(40 / finished)


def test_outcomes_are_events_per_minute_counted_in_one_dimension(filled: Store) -> None:
    (row,) = shown(filled, "Events per minute by outcome")
    assert row["Delivered"] == pytest.approx(14_000 / (INTERVAL_S / 60))
    assert row["Complaint"] == pytest.approx(12 / (INTERVAL_S / 60))


def test_repeated_alert_is_counted_once_and_a_resolution_not_at_all(filled: Store) -> None:
    rows = shown(filled, "Alerts by level")
    names = ("Watch", "Warning", "Excessive", "Critical")
    assert [tuple(row[name] for name in names) for row in rows] == [(0, 1, 1, 0)]


def test_open_listing_counts_from_its_last_beginning_and_names_its_users(filled: Store) -> None:
    row, domain = shown(filled, "Open blocklist listings")
    assert (row["Resource"], row["List"], row["Customers, 48 h"]) == ("192.0.2.1", "bl.example", 2)
    assert (domain["Resource"], domain["List"], domain["Customers, 48 h"]) == ("listed.example", "dbl.example", 1)
    assert row["Since"].replace(tzinfo=UTC) == FROM + timedelta(minutes=2)
    assert (row["Likeliest cause"], row["Its share"]) == ("bad'co", 0.8)


def test_listings_of_a_pool_are_counted_and_their_hours_in_the_time_shown_added_up(filled: Store) -> None:
    rows = shown(filled, "Listings by pool")
    assert [(row["Pool"], row["Weight"], row["In force"], row["In this time"]) for row in rows] == [
        ("(not known)", "critical", 1, 1),
        ("gold", "major", 0, 1),
    ]
    assert [row["Listed hours"] for row in rows] == [pytest.approx(6 - 2 / 60), 1.0]


def test_open_listing_shows_how_long_ago_its_list_gave_an_answer(filled: Store) -> None:
    row, _ = shown(filled, "Open blocklist listings")
    assert abs((row["Last looked"].replace(tzinfo=UTC) - LOOKED).total_seconds()) < 1
    assert row["Age"] == pytest.approx((datetime.now(UTC) - LOOKED).total_seconds(), abs=60)


def test_provider_without_feedback_loop_shows_no_complaint_rate(filled: Store) -> None:
    rows = {row["Provider"]: row for row in shown(filled, "Outcomes by provider")}
    assert rows["gmail"]["Complaints"] is None
    assert rows["yahoo"]["Complaints"] == pytest.approx(0.005)
    assert rows["yahoo"]["Finished"] == 1060


def test_standing_shows_all_mail_before_the_streams(filled: Store) -> None:
    assert [row["Of"] for row in shown(filled, "Standing")] == ["all mail", "stream:news"]


def test_bounces_are_summed_by_class_with_the_latest_answer(filled: Store) -> None:
    (row,) = shown(filled, "Bounce classes")
    assert (row["Class"], row["Bounces"], row["Recipients"], row["Mostly at"], row["Latest answer"]) == (
        "invalid-recipient", 3, 2, "gmail", "answer 2"
    )  # fmt: skip


def test_alerts_of_the_customer_are_newest_first(filled: Store) -> None:
    rows = shown(filled, "Alerts")
    assert [(row["What"], row["Level"]) for row in rows] == [
        ("resolved", "good"), ("escalated", "excessive"), ("opened", "warning"),
    ]  # fmt: skip


def test_address_shows_the_lists_it_is_on(filled: Store) -> None:
    (row,) = shown(filled, "Addresses it sends from")
    assert (row["Address"], row["Finished"], row["Listed on"]) == ("192.0.2.1", 1000, "bl.example")
    assert row["Failures"] == pytest.approx(0.1)


@pytest.mark.parametrize("title", ["Complaint rate", "Standing", "Alerts", "Outcomes by provider"])
def test_customer_panels_show_nothing_of_others(filled: Store, title: str) -> None:
    assert shown(filled, title, customer="nobody") == []


def test_variable_offers_customers_worst_first(
    filled: Store,
) -> None:
    """Names that would break the quoting are left out."""
    rows = filled.rows(expanded(VARIABLE.query.raw_sql))
    assert [name for (name,) in rows] == ["bad'co", "good-ltd", "quiet"]
