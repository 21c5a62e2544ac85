"""The dashboards as files: what Grafana needs to take them, and what makes them ours."""

import json
import re
from itertools import combinations
from typing import Any

import msgspec
import pytest

from dashboards import choices, links
from dashboards.board import Dashboard, DataSourceVariable
from dashboards.boards import FOLDER, build_dashboards, file_name, to_json
from dashboards.model import PLUGIN, PROMETHEUS, TIME_SERIES, GridPos, Panel, PromTarget, Row, Target
from jobs.embedded.reader import TABLES
from jobs.setup.dashboards import generate
from schemas import policy, providers
from tests.support.grafana_macros import queries_of, texts_of

BOARDS = {board.uid: board for board in build_dashboards()}
QUERIES = queries_of(tuple(BOARDS.values()))
PANELS = {
    f"{board.uid}: {panel.title}": panel
    for board in BOARDS.values()
    for panel in board.panels
    if isinstance(panel, Panel)
}
every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
every_query = pytest.mark.parametrize("title", QUERIES)
every_panel = pytest.mark.parametrize("title", PANELS)
#: The macros that the plugin documents and these queries use.
MACROS = {"timeFilter", "timeInterval", "fromTime", "toTime", "interval_s", "conditionalAll"}
#: Variables of Grafana itself.
OWN = re.compile(r"__\w+")


def named_in(text: str) -> set[str]:
    """The variables that a text names."""
    found = {name for pair in re.findall(r"\$\{(\w+)[:.}]|\$(\w+)", text) for name in pair if name}
    return {name for name in found if not OWN.fullmatch(name)}


def test_there_are_the_five_dashboards() -> None:
    assert [board.title for board in BOARDS.values()] == [
        "Sending reputation", "Alerts and incidents", "Providers", "Pools and blocklists", "Pipeline",
    ]  # fmt: skip


@every_board
def test_generated_file_is_current(board: Dashboard) -> None:
    file = FOLDER / file_name(board)
    assert file.read_text(encoding="utf-8") == to_json(board), "run `repmon dashboards generate`"
    assert generate()[file_name(board)] == to_json(board)


def test_there_is_no_file_of_a_dashboard_that_is_none() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == set(generate())


@every_board
def test_file_has_a_stable_name_and_no_number_of_one_grafana(board: Dashboard) -> None:
    held = json.loads(to_json(board))
    assert (held["uid"], held["id"]) == (board.uid, None)
    assert re.fullmatch(r"repmon-[a-z]+", board.uid)
    assert len(board.uid) <= 40
    assert "repmon" in board.tags


@every_board
def test_panels_have_their_own_ids_and_places_within_the_grid(board: Dashboard) -> None:
    places = [each.grid_pos for each in board.panels if each.grid_pos is not None]
    assert len(places) == len({each.id for each in board.panels}) == len(board.panels)
    assert all(place.x >= 0 and place.x + place.w <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]
    titles = [each.title for each in board.panels]
    assert len(titles) == len(set(titles))


def overlap(one: GridPos, other: GridPos) -> bool:
    return (
        one.x < other.x + other.w and other.x < one.x + one.w and one.y < other.y + other.h and other.y < one.y + one.h
    )


@every_panel
def test_queries_of_a_panel_have_their_own_names(title: str) -> None:
    names = [target.ref_id for target in PANELS[title].targets]
    assert len(names) == len(set(names))


@every_query
def test_query_is_sent_as_the_plugin_documents_to_the_chosen_data_source(title: str) -> None:
    sent = msgspec.to_builtins(QUERIES[title])
    assert sent["editorType"] == "sql"
    assert sent["datasource"] == {"type": PLUGIN, "uid": "${datasource}"}


@every_panel
def test_only_graphs_ask_for_series(title: str) -> None:
    panel = PANELS[title]
    over_time = panel.type in ("timeseries", "state-timeline")
    assert all((t.format == TIME_SERIES) == over_time for t in panel.targets if isinstance(t, Target))


@every_query
def test_queries_use_documented_macros_and_have_no_placeholder_left(title: str) -> None:
    sql = QUERIES[title].raw_sql
    assert set(re.findall(r"\$__(\w+)", sql)) <= MACROS
    assert all(variable.endswith(":singlequote") for variable in re.findall(r"\$\{(.*?)\}", sql))
    assert not re.findall(r"(?<!\$)\{", sql)


@every_query
def test_every_read_of_the_counts_names_one_dimension(title: str) -> None:
    sql = QUERIES[title].raw_sql
    dimensions = "provider|ip|from|dkim|pool"
    assert len(re.findall(r"FROM counts\b", sql)) == len(
        re.findall(rf"FROM counts\s+WHERE dimension = '(?:{dimensions})'", sql)
    )


@pytest.mark.parametrize("sql", texts_of(tuple(BOARDS.values())))
def test_tables_that_keep_versions_are_read_as_their_last(sql: str) -> None:
    """States of alerts are read by `argMax`, which is the same."""
    for table in re.findall(r"FROM (\w+)\b(?! FINAL)", sql):
        assert table in ("counts", "alert_states"), f"{table} without FINAL"


def test_the_reading_user_may_read_just_what_is_asked() -> None:
    asked = {table for sql in texts_of(tuple(BOARDS.values())) for table in re.findall(r"(?:FROM|JOIN)\s+(\w+)", sql)}
    assert asked == TABLES


@every_board
def test_every_variable_is_used_and_every_used_one_is_there(board: Dashboard) -> None:
    """Of the data sources `Alerts` and the like use the one of the store."""
    shown = msgspec.to_builtins(board)
    variables = {variable["name"] for variable in shown["templating"]["list"]}
    rest = json.dumps({name: part for name, part in shown.items() if name != "templating"})
    assert named_in(rest) == variables


@every_board
def test_first_variable_is_the_data_source(board: Dashboard) -> None:
    first = board.templating.list[0]
    assert isinstance(first, DataSourceVariable)
    assert (first.query, first.current.value) == (PLUGIN, choices.DATA_SOURCE_UID)


def thresholds(part: Any) -> list[Any]:
    """All values of thresholds in a piece of JSON."""
    if isinstance(part, list):
        return [value for each in part for value in thresholds(each)]
    if not isinstance(part, dict):
        return []
    own = [step.get("value") for step in part["steps"]] if "steps" in part else []
    return own + [value for each in part.values() for value in thresholds(each)]


@every_panel
def test_no_threshold_of_a_policy_is_built_in(title: str) -> None:
    """Those of ages, and that nothing should fail, are no policy's; they are of whole numbers."""
    ratios = {
        threshold for rule in policy.load_policy().rules for _, threshold in rule.levels.given() if 0 < threshold < 1
    }
    panel = json.loads(msgspec.json.encode(PANELS[title]))
    assert not ratios & set(thresholds(panel))
    assert not any(str(each) in json.dumps(panel) for each in ratios if each < 0.01)


@pytest.mark.parametrize(
    ("title", "metric"),
    [
        ("Fleet complaint rate", "complaint"),
        ("Fleet failure rate", "failure"),
        ("Complaint rate", "complaint"),
        ("Failure rate", "failure"),
        ("Block rate", "block"),
    ],
)
def test_graph_of_a_judged_rate_draws_the_thresholds_in_force(title: str, metric: str) -> None:
    sql = QUERIES[f"reputation: {title}, Thresholds"].raw_sql
    assert "FROM policy_levels FINAL" in sql
    assert set(re.findall(r"metric = '(\w+)'", sql)) == {metric}
    drawn = {each.matcher.options for each in PANELS[f"repmon-reputation: {title}"].field_config.overrides}
    assert {"Watch", "Warning", "Excessive", "Critical"} <= drawn


@every_board
def test_alerts_incidents_policies_and_suspensions_are_marked(board: Dashboard) -> None:
    assert [mark.name for mark in board.annotations.list] == ["Alerts", "Incidents", "Policies", "Suspensions"]


@every_board
def test_each_dashboard_leads_to_the_others_and_into_the_console(board: Dashboard) -> None:
    others, console = board.links
    assert (others.type, others.tags) == ("dashboards", board.tags)
    assert console.url == "${console:raw}/"


@every_panel
def test_links_lead_to_dashboards_that_are_there_with_variables_that_they_have(title: str) -> None:
    text = msgspec.json.encode(PANELS[title]).decode()
    for uid, variable in re.findall(r'"/d/([\w-]+)\?var-(\w+)=', text):
        assert variable in {each.name for each in BOARDS[uid].templating.list}


def test_customer_is_linked_to_its_case_wherever_it_is_named() -> None:
    linking = {
        title
        for title, panel in PANELS.items()
        for override in panel.field_config.overrides
        if override.matcher.options in ("Customer", "Likeliest cause")
        and links.CASE.url in msgspec.json.encode(override).decode()
    }
    naming = {title for title, panel in PANELS.items() if panel.type == "table" and 'AS "Customer"' in sql_of(panel)}
    assert naming <= linking


def sql_of(panel: Panel) -> str:
    return "\n".join(target.raw_sql for target in panel.targets if isinstance(target, Target))


def test_rows_of_the_first_dashboard_are_the_fleet_and_the_customer() -> None:
    rows = [each.title for each in BOARDS[links.REPUTATION].panels if isinstance(each, Row)]
    assert rows == ["Fleet", "Customer: $customer"]


def test_complaint_rate_lists_the_providers_with_a_feedback_loop() -> None:
    listed = re.search(r"value IN \((.*?)\)", QUERIES["reputation: Complaint rate"].raw_sql)
    assert listed is not None
    names = tuple(name.strip("'") for name in listed[1].split(", "))
    assert names == providers.load_providers().with_feedback_loop()
    assert "gmail" not in names


def prom_queries() -> list[PromTarget]:
    return [target for panel in PANELS.values() for target in panel.targets if isinstance(target, PromTarget)]


def test_queries_of_prometheus_name_metrics_that_there_are() -> None:
    documented = set(re.findall(r"^\| `(repmon_\w+)`", (FOLDER.parent / "docs/metrics.md").read_text(), re.MULTILINE))
    asked = {name.removesuffix("_bucket") for each in prom_queries() for name in re.findall(r"repmon_\w+", each.expr)}
    assert asked
    assert asked <= documented


@pytest.mark.parametrize("expr", [each.expr for each in prom_queries()])
def test_queries_of_prometheus_are_of_our_job_and_in_balance(expr: str) -> None:
    selectors = re.findall(r"\b(?:repmon_\w+|up)(\{[^}]*\})?", expr)
    assert selectors
    assert all('job="repmon"' in each for each in selectors)
    for opening, closing in ("()", "[]", "{}"):
        assert expr.count(opening) == expr.count(closing)


def test_queries_of_prometheus_go_to_the_chosen_one() -> None:
    assert {(each.datasource.type, each.datasource.uid) for each in prom_queries()} == {(PROMETHEUS, "${prometheus}")}
