"""Every query of the dashboard, run on the migrated tables as Grafana's ClickHouse plugin would send it.

How macros are expanded is in tests/support/grafana_macros.py.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.board import QueryVariable
from dashboards.boards import build_dashboards
from dashboards.choices import CUSTOMER
from dashboards.model import TIME_SERIES, Panel, Target
from dashboards.rates import COMPLAINABLE, COMPLAINED, EVERYBODY, rate_over_time
from jobs.operator.suspensions import suspend, unsuspend
from streams.io.store import Store
from tests.support.dashboard_rows import (
    FROM,
    INTERVAL_S,
    LOOKED,
    TO,
    fill,
    migrated,
)
from tests.support.grafana_macros import ALL, Chosen, expanded, queries_of

FEEDBACK_LOOP = ("yahoo", "microsoft")
BOARDS = {board.uid.removeprefix("repmon-"): board for board in build_dashboards(feedback_loop=FEEDBACK_LOOP)}
QUERIES = queries_of(tuple(BOARDS.values()))
#: Each text once: several dashboards have the same marks.
DIFFERENT = list({query.raw_sql: title for title, query in QUERIES.items()}.values())
PANELS = {
    f"{name}: {panel.title}": panel
    for name, board in BOARDS.items()
    for panel in board.panels
    if isinstance(panel, Panel) and any(isinstance(target, Target) for target in panel.targets)
}
VARIABLES = {
    f"{name}: {variable.name}": variable
    for name, board in BOARDS.items()
    for variable in board.templating.list
    if isinstance(variable, QueryVariable)
}
CHOSEN: Chosen = {"customer": "bad'co", "level": ALL, "stream": ALL, "provider": ALL, "pool": ALL}


@pytest.fixture(scope="module")
def empty(chdb_path: Path) -> Iterator[Store]:
    yield from migrated(chdb_path, "dashboards_empty")


@pytest.fixture(scope="module")
def filled(chdb_path: Path) -> Iterator[Store]:
    for store in migrated(chdb_path, "dashboards_filled"):
        fill(store)
        yield store


def as_sent(sql: str, **chosen: str | Sequence[str]) -> str:
    return expanded(sql, FROM, TO, INTERVAL_S, {**CHOSEN, **chosen})


def shown(store: Store, title: str, **chosen: str | Sequence[str]) -> list[dict[str, Any]]:
    return store.records(as_sent(QUERIES[title].raw_sql, **chosen))


@pytest.mark.parametrize("title", DIFFERENT)
def test_every_query_runs_and_finds_something(filled: Store, title: str) -> None:
    rows = shown(filled, title)
    assert rows
    if QUERIES[title].format == TIME_SERIES:
        assert next(iter(rows[0])) == "time"
        assert all(isinstance(row["time"], datetime) for row in rows)
        assert any(value for row in rows for name, value in row.items() if name != "time")


@pytest.mark.parametrize("title", DIFFERENT)
def test_every_query_runs_on_empty_tables(empty: Store, title: str) -> None:
    rows = shown(empty, title)
    assert all(not value for row in rows for value in row.values())


@pytest.mark.parametrize("title", [title for title in DIFFERENT if "conditionalAll" in QUERIES[title].raw_sql])
def test_every_query_runs_with_some_values_chosen(filled: Store, title: str) -> None:
    chosen = {"level": ["warning", "critical"], "stream": ["it's"], "provider": ["gmail", "o'ther"], "pool": ["gold"]}
    shown(filled, title, **chosen)


@pytest.mark.parametrize("title", [title for title in DIFFERENT if QUERIES[title].format == TIME_SERIES])
def test_rows_over_time_are_in_the_order_of_time(filled: Store, title: str) -> None:
    """The plugin makes a series of them, and one for each name only where they are in order."""
    times = [row["time"] for row in shown(filled, title)]
    assert times == sorted(times)


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_offers_something(filled: Store, empty: Store, name: str) -> None:
    assert filled.records(VARIABLES[name].query.raw_sql)
    assert empty.records(VARIABLES[name].query.raw_sql) == []


@pytest.mark.parametrize("title", [title for title in DIFFERENT if ": mark " in title])
def test_marks_have_a_time_a_text_and_tags(filled: Store, title: str) -> None:
    (row, *_) = shown(filled, title)
    assert set(row) in ({"time", "text", "tags"}, {"time", "timeEnd", "text", "tags"})
    assert isinstance(row["time"], datetime)
    assert row["text"]


def test_fleet_without_any_feedback_loop_has_no_complaint_rate(filled: Store) -> None:
    sql = rate_over_time(COMPLAINED, COMPLAINABLE, EVERYBODY, ())
    assert [row["This interval"] for row in filled.records(as_sent(sql))] == [None]


@pytest.mark.parametrize("title", PANELS)
def test_every_column_that_a_panel_formats_is_one_its_queries_return(filled: Store, title: str) -> None:
    panel = PANELS[title]
    named = {override.matcher.options for override in panel.field_config.overrides}
    columns = {
        column
        for target in panel.targets
        if isinstance(target, Target)
        for row in filled.records(as_sent(target.raw_sql))[:1]
        for column in row
    }
    ratio_columns = {"Complaints", "Observable", "Failures", "Blocks", "Exposure"}
    assert named - columns <= ratio_columns
    if panel.field_config.defaults.display_name:
        label = panel.field_config.defaults.display_name.removeprefix("${__field.labels.").removesuffix("}")
        assert label in columns


def test_customers_are_counted_once_each_by_their_latest_standing(filled: Store) -> None:
    counted = {"Critical": 1, "Excessive": 1, "Warning": 0, "Watch": 0, "Good": 1, "Too little mail": 1}
    counted |= {"Inactive": 0, "Suspended": 0, "Reinstated": 0}
    assert shown(filled, "reputation: Customers by standing") == [counted]


def test_suspended_customer_is_shown_so_with_what_it_is_judged(filled: Store) -> None:
    suspend(filled, "bad'co", by="Ida", why="under review", now_ms=int(FROM.timestamp() * 1000))
    (counted,) = shown(filled, "reputation: Customers by standing")
    assert (counted["Suspended"], counted["Excessive"]) == (1, 0)
    (worst,) = (each for each in shown(filled, "reputation: Worst customers") if each["Customer"] == "bad'co")
    assert worst["Standing"] == "suspended"
    of = {each["Of"]: (each["Standing"], each["Judged"]) for each in shown(filled, "reputation: Standing")}
    assert of == {"all mail": ("suspended", "excessive"), "stream:news": ("watch", "watch")}
    unsuspend(filled, "bad'co", by="Ida", why="", now_ms=int(FROM.timestamp() * 1000) + 1)
    assert shown(filled, "reputation: Customers by standing")[0]["Suspended"] == 0


def test_worst_customers_come_first(filled: Store) -> None:
    rows = shown(filled, "reputation: Worst customers")
    assert [row["Customer"] for row in rows] == ["sly\\", "bad'co", "good-ltd", "quiet"]
    assert (rows[1]["Standing"], rows[1]["Complaints"], rows[1]["Rules"]) == (
        "excessive",
        0.005,
        "complaints",
    )


def test_complaint_rate_counts_only_providers_with_a_feedback_loop(filled: Store) -> None:
    (fleet,) = shown(filled, "reputation: Fleet complaint rate")
    (one,) = shown(filled, "reputation: Complaint rate")
    assert fleet["This interval"] == pytest.approx(5 / 10_000)
    assert one["This interval"] == pytest.approx(5 / 1000)


def test_line_of_the_last_24_hours_reaches_back_before_the_range(filled: Store) -> None:
    (row,) = shown(filled, "reputation: Complaint rate")
    assert row["time"].replace(tzinfo=UTC) == FROM
    assert row["Last 24 h"] == pytest.approx(20 / 2000)


def test_late_bounce_makes_a_failure_of_a_delivery(
    filled: Store,
) -> None:
    """Without counting the recipient twice."""
    (row,) = shown(filled, "reputation: Failure rate")
    finished = 1000 + 4000 + 60 + 40 + 10 - 10
    assert row["This interval"] == pytest.approx((60 + 10) / finished)
    (blocks,) = shown(filled, "reputation: Block rate")
    assert blocks["This interval"] == pytest.approx(40 / finished)


def test_outcomes_are_events_per_minute_counted_in_one_dimension(filled: Store) -> None:
    (row,) = shown(filled, "reputation: Events per minute by outcome")
    assert row["Delivered"] == pytest.approx(14_000 / (INTERVAL_S / 60))
    assert row["Complaint"] == pytest.approx(12 / (INTERVAL_S / 60))


def test_repeated_alert_is_counted_once_and_a_resolution_not_at_all(filled: Store) -> None:
    rows = shown(filled, "reputation: Alerts by level")
    names = ("Watch", "Warning", "Excessive", "Critical")
    assert [tuple(row[name] for name in names) for row in rows] == [(0, 1, 1, 0)]


def test_open_listing_counts_from_its_last_beginning_and_names_its_users(filled: Store) -> None:
    row, domain = shown(filled, "pools: Open blocklist listings")
    assert (row["Resource"], row["List"], row["Customers, 48 h"]) == ("192.0.2.1", "bl.example", 2)
    assert (domain["Resource"], domain["List"], domain["Customers, 48 h"]) == ("listed.example", "dbl.example", 1)
    assert row["Since"].replace(tzinfo=UTC) == FROM + timedelta(minutes=2)
    assert (row["Likeliest cause"], row["Its share"]) == ("bad'co", 0.8)


def test_listings_of_a_pool_are_counted_and_their_hours_in_the_time_shown_added_up(filled: Store) -> None:
    rows = shown(filled, "pools: Listings by pool")
    assert [(row["Pool"], row["Weight"], row["In force"], row["In this time"]) for row in rows] == [
        ("(not known)", "critical", 1, 1),
        ("gold", "major", 0, 1),
    ]
    assert [row["Listed hours"] for row in rows] == [pytest.approx(6 - 2 / 60), 1.0]


def test_open_listing_shows_how_long_ago_its_list_gave_an_answer(filled: Store) -> None:
    row, _ = shown(filled, "pools: Open blocklist listings")
    assert abs((row["Last looked"].replace(tzinfo=UTC) - LOOKED).total_seconds()) < 1
    assert row["Age"] == pytest.approx((datetime.now(UTC) - LOOKED).total_seconds(), abs=60)


def test_provider_without_feedback_loop_shows_no_complaint_rate(filled: Store) -> None:
    rows = {row["Provider"]: row for row in shown(filled, "reputation: Outcomes by provider")}
    assert rows["gmail"]["Complaints"] is None
    assert rows["yahoo"]["Complaints"] == pytest.approx(0.005)
    assert rows["yahoo"]["Finished"] == 1060


def test_standing_shows_all_mail_before_the_streams(filled: Store) -> None:
    assert [row["Of"] for row in shown(filled, "reputation: Standing")] == ["all mail", "stream:news"]


def test_bounces_are_summed_by_class_with_the_latest_answer(filled: Store) -> None:
    (row,) = shown(filled, "reputation: Bounce classes")
    assert (row["Class"], row["Bounces"], row["Recipients"], row["Mostly at"], row["Latest answer"]) == (
        "invalid-recipient", 3, 2, "gmail", "answer 2"
    )  # fmt: skip


def test_alerts_of_the_customer_are_newest_first(filled: Store) -> None:
    rows = shown(filled, "reputation: Alerts")
    assert [(row["What"], row["Level"]) for row in rows] == [
        ("resolved", "good"), ("escalated", "excessive"), ("opened", "warning"),
    ]  # fmt: skip


def test_address_shows_the_lists_it_is_on(filled: Store) -> None:
    (row,) = shown(filled, "reputation: Addresses it sends from")
    assert (row["Address"], row["Finished"], row["Listed on"]) == ("192.0.2.1", 1000, "bl.example")
    assert row["Failures"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "title",
    ["reputation: Complaint rate", "reputation: Standing", "reputation: Alerts", "reputation: Outcomes by provider"],
)
def test_customer_panels_show_nothing_of_others(filled: Store, title: str) -> None:
    assert shown(filled, title, customer="nobody") == []


def test_variable_offers_customers_worst_first(
    filled: Store,
) -> None:
    """Names that would break the quoting are left out."""
    rows = filled.rows(CUSTOMER.query.raw_sql)
    assert [name for (name,) in rows] == ["bad'co", "good-ltd", "quiet"]


def test_open_alerts_have_their_id_and_evidence_and_what_became_of_them(filled: Store) -> None:
    first, second = shown(filled, "alerts: Open alerts, worst first")
    assert (first["Customer"], first["Alert"], first["Level"], first["Of"]) == (
        "bad'co", "alert-1", "excessive", "all mail"
    )  # fmt: skip
    assert first["Since"].replace(tzinfo=UTC) == FROM
    assert (first["What happened"], first["Mostly at"]) == ("5 of 1,000 complained (resolved)", "yahoo, spam")
    assert (first["Typical answer"], first["A message"], first["Held for"]) == ("550 no", "<m@x>", "brake")
    assert (second["Of"], second["Acknowledged by"]) == ("stream:it's", "Ida")
    (counted,) = shown(filled, "alerts: Open alerts")
    assert counted == {"Critical": 0, "Excessive": 1, "Warning": 0, "Watch": 1, "Held": 1, "Acknowledged": 1}


@pytest.mark.parametrize(
    ("chosen", "scopes"),
    [
        ({"level": ["watch"]}, ["stream:it's"]),
        ({"level": ["critical"]}, []),
        ({"stream": ["it's"]}, ["all mail", "stream:it's"]),
        ({"stream": ["other"]}, ["all mail"]),
    ],
)
def test_open_alerts_are_those_of_chosen_levels_and_streams(
    filled: Store, chosen: dict[str, list[str]], scopes: list[str]
) -> None:
    assert [row["Of"] for row in shown(filled, "alerts: Open alerts, worst first", **chosen)] == scopes


def test_incident_is_shown_once_as_people_decided_it(filled: Store) -> None:
    """Those of before the time shown are not."""
    (row,) = shown(filled, "alerts: Incidents")
    assert (row["Incident"], row["Where"], row["State"], row["Now"]) == ("i1", "gmail", "declared", "goes on")
    assert (row["Rate"], row["Usual"], row["Struck"], row["Spared"]) == (0.4, 0.01, 12, 3)
    assert (row["For example"], row["Decided by"]) == ("bad'co, good-ltd", "Ida")
    (mark,) = shown(filled, "alerts: mark Incidents")
    assert mark["timeEnd"] - mark["time"] == timedelta(hours=1)


def test_thresholds_drawn_are_those_in_force_at_each_moment(filled: Store) -> None:
    """Rules about one provider's mail are not drawn, nor levels that a policy does not have."""
    rows = shown(filled, "reputation: Complaint rate, Thresholds")
    assert [((row["time"].replace(tzinfo=UTC) - FROM).total_seconds(), row["Warning"]) for row in rows] == [
        (0, 0.003), (3 * 3600 - 0.001, 0.003), (3 * 3600, 0.002), (6 * 3600, 0.002)
    ]  # fmt: skip
    assert {(row["Watch"], row["Excessive"], row["Critical"]) for row in rows} == {(None, 0.005, None)}
    failures = shown(filled, "reputation: Failure rate, Thresholds")
    assert {(row["Watch"], row["Warning"]) for row in failures} == {(0.05, None)}


def test_provider_is_compared_with_the_days_before(filled: Store) -> None:
    rows = {row["Provider"]: row for row in shown(filled, "providers: Now against usual")}
    assert rows["gmail"]["Blocked usually"] == pytest.approx(40 / 4040)
    assert rows["gmail"]["Blocked"] is None, "nothing was sent in the last hour"
    chosen = shown(filled, "providers: Now against usual", provider=["gmail"])
    assert [row["Provider"] for row in chosen] == ["gmail"]


def test_rates_by_provider_are_a_line_each_in_the_order_of_time(filled: Store) -> None:
    rows = shown(filled, "providers: Blocks")
    assert [(row["provider"], row["rate"]) for row in rows] == [("gmail", pytest.approx(40 / 4040)), ("yahoo", 0.0)]


def test_answers_of_a_provider_are_told_by_class(filled: Store) -> None:
    (row,) = shown(filled, "providers: What they answer")
    assert (row["Provider"], row["Class"], row["Answers"], row["Latest answer"]) == (
        "gmail", "invalid-recipient", 3, "answer 2"
    )  # fmt: skip


def test_timeline_has_each_listing_from_its_beginning_to_its_end(filled: Store) -> None:
    rows = shown(filled, "pools: Listings over time")
    drawn = {
        name: [
            (int((row["time"].replace(tzinfo=UTC) - FROM).total_seconds()), row["weight"])
            for row in rows
            if row["listing"] == name
        ]
        for name in {row["listing"] for row in rows}
    }
    assert drawn == {
        "192.0.2.1 on bl.example": [(120, 4.0), (6 * 3600, 4.0)],
        "192.0.2.5 on bl.example": [(0, 3.0), (3600, 0.0)],
    }


def test_listings_in_force_are_counted_at_each_moment(filled: Store) -> None:
    rows = shown(filled, "pools: Listings in force")
    at = {
        int((row["time"].replace(tzinfo=UTC) - FROM).total_seconds()): (row["Critical"], row["Major"]) for row in rows
    }
    assert (at[0], at[300], at[3300], at[3600]) == ((0, 1), (1, 1), (1, 1), (1, 0))


def test_pools_show_their_rates_and_who_is_in_them(filled: Store) -> None:
    (row,) = shown(filled, "pools: Sent from each pool")
    assert (row["Pool"], row["Customers"], row["Failures"]) == ("shared", 1, pytest.approx(60 / 5060))
    assert shown(filled, "pools: Sent from each pool", pool=["gold"]) == []
