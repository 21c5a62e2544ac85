import json
import re
from itertools import combinations

import msgspec
import pytest

from dashboards.limits import Limits, limits_of
from dashboards.model import PLUGIN, TIME_SERIES, DataSourceRef, GridPos, Panel, Row
from dashboards.reputation import FILE, UID, build_dashboard
from jobs.setup.dashboards import generate
from schemas import policy, providers

DASHBOARD = build_dashboard()
PANELS = {panel.title: panel for panel in DASHBOARD.panels if isinstance(panel, Panel)}
#: The macros that the plugin documents and these queries use.
MACROS = {"timeFilter", "timeInterval", "fromTime", "toTime", "interval_s"}


def sql(title: str) -> str:
    (target,) = PANELS[title].targets
    return target.raw_sql


def test_generated_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == generate(), "run `repmon dashboards generate`"


def test_file_has_a_stable_name_and_no_number_of_one_grafana() -> None:
    board = json.loads(generate())
    assert (board["uid"], board["id"]) == ("repmon-reputation", None)
    assert len(UID) <= 40


def test_rows_are_the_fleet_and_the_customer() -> None:
    assert [each.title for each in DASHBOARD.panels if isinstance(each, Row)] == [
        "Fleet",
        "Customer: $customer",
    ]


def test_panels_have_their_own_ids_and_places_within_the_grid() -> None:
    places = [each.grid_pos for each in DASHBOARD.panels if each.grid_pos is not None]
    assert len(places) == len({each.id for each in DASHBOARD.panels}) == len(DASHBOARD.panels)
    assert all(place.x >= 0 and place.x + place.w <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]


def overlap(one: GridPos, other: GridPos) -> bool:
    return (
        one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h
    )


@pytest.mark.parametrize("title", PANELS)
def test_query_is_sent_as_the_plugin_documents_to_the_chosen_data_source(title: str) -> None:
    (target,) = PANELS[title].targets
    sent = msgspec.to_builtins(target)
    assert sent["editorType"] == "sql"
    assert sent["datasource"] == {"type": PLUGIN, "uid": "${datasource}"}
    assert target.datasource == DataSourceRef()
    assert (target.format == TIME_SERIES) == (PANELS[title].type == "timeseries")


@pytest.mark.parametrize("title", PANELS)
def test_queries_use_documented_macros_and_have_no_placeholder_left(title: str) -> None:
    assert set(re.findall(r"\$__(\w+)", sql(title))) <= MACROS
    assert set(re.findall(r"\$\{(.*?)\}", sql(title))) <= {"customer:singlequote"}
    assert not re.findall(r"(?<!\$)\{", sql(title))


@pytest.mark.parametrize("title", PANELS)
def test_every_read_of_the_counts_names_one_dimension(title: str) -> None:
    reads = re.findall(r"FROM counts\b", sql(title))
    assert len(reads) == len(re.findall(r"FROM counts\s+WHERE dimension = '(?:provider|ip|from|dkim)'", sql(title)))


@pytest.mark.parametrize("title", PANELS)
def test_tables_that_keep_versions_are_read_as_their_last(title: str) -> None:
    kept = "standings|alerts|events|listing_events|listing_causes|blocklist_looks"
    for table in re.findall(rf"FROM ({kept})\b(?! FINAL)", sql(title)):
        pytest.fail(f"{table} without FINAL")


def test_complaint_rate_lists_the_providers_with_a_feedback_loop() -> None:
    listed = re.search(r"value IN \((.*?)\)", sql("Complaint rate"))
    assert listed is not None
    names = tuple(name.strip("'") for name in listed[1].split(", "))
    assert names == providers.load_providers().with_feedback_loop()
    assert "gmail" not in names


def test_graph_draws_the_thresholds_of_the_policy() -> None:
    strict = policy.parse(
        """
        [[rules]]
        name = "complaint"
        metric = "complaint"
        windows = ["24h"]
        levels = { watch = 0.0005, excessive = 0.002 }

        [[rules]]
        name = "failure"
        metric = "failure"
        windows = ["1h"]
        levels = { warning = 0.01 }
        """,
        "strict.toml",
    )
    # The rule for failures judges another window than the one drawn.
    assert limits_of(strict) == Limits(complaint=(("watch", 0.0005), ("excessive", 0.002)))
    (panel,) = (each for each in build_dashboard(policy=strict).panels if each.title == "Complaint rate")
    assert isinstance(panel, Panel)
    assert panel.field_config.defaults.thresholds is not None
    steps = panel.field_config.defaults.thresholds.steps
    assert [(step.color, step.value) for step in steps] == [
        ("transparent", None),
        ("blue", 0.0005),
        ("orange", 0.002),
    ]
