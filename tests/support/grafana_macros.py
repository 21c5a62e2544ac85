"""Queries of dashboards as Grafana and its ClickHouse plugin send them.

Macros are expanded as the plugin does (its documentation, "ClickHouse query editor", Macros; `pkg/macros` and,
for `$__conditionalAll`, its front end), variables as Grafana does with the formats `singlequote` and `raw`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dashboards.board import Dashboard, QueryVariable
from dashboards.model import Panel, Target

ALL = "$__all"
Chosen = Mapping[str, str | Sequence[str]]


def expanded(sql: str, begin: datetime, end: datetime, interval_s: int, chosen: Chosen) -> str:
    """`sql` as the plugin sends it. `chosen` has the value of each variable, or the values; `ALL` is that all are.

    Raises:
        KeyError: a macro or a variable that is not known here.
    """
    sql = _conditions(sql, chosen)
    start, stop = (f"toDateTime({int(time.timestamp())})" for time in (begin, end))
    with_column: dict[str, Callable[[str], str]] = {
        "timeFilter": lambda column: f"{column} >= {start} AND {column} <= {stop}",
        "timeInterval": lambda column: f"toStartOfInterval(toDateTime({column}), INTERVAL {interval_s} second)",
    }
    plain = {"fromTime": start, "toTime": stop, "interval_s": str(interval_s)}
    sql = re.sub(r"\$__(\w+)\(((?:[^()]|\([^()]*\))*)\)", lambda found: with_column[found[1]](found[2]), sql)
    sql = re.sub(r"\$__(\w+)", lambda found: plain[found[1]], sql)
    return re.sub(r"\$\{(\w+):singlequote\}", lambda found: _quoted(chosen[found[1]]), sql)


def _conditions(sql: str, chosen: Chosen) -> str:
    """`$__conditionalAll(condition, $variable)`: the condition, or 1=1 where all are chosen."""
    macro = "$__conditionalAll("
    while (at := sql.rfind(macro)) >= 0:
        depth, end = 1, at + len(macro)
        while depth:
            depth += (sql[end] == "(") - (sql[end] == ")")
            end += 1
        condition, _, variable = sql[at + len(macro) : end - 1].rpartition(",")
        whole = chosen[variable.strip().removeprefix("$")] == ALL
        sql = sql[:at] + ("1=1" if whole else condition) + sql[end:]
    return sql


def _quoted(value: str | Sequence[str]) -> str:
    values = [value] if isinstance(value, str) else value
    return ",".join("'" + each.replace("'", "\\'") + "'" for each in values)


def queries_of(boards: Sequence[Dashboard]) -> dict[str, Target]:
    """Every query of the store that panels and marks ask, by dashboard and what it is for."""
    found = {}
    for board in boards:
        name = board.uid.removeprefix("repmon-")
        for panel in board.panels:
            if isinstance(panel, Panel):
                for target in panel.targets:
                    if isinstance(target, Target):
                        which = "" if target.ref_id == "A" else f", {target.ref_id}"
                        found[f"{name}: {panel.title}{which}"] = target
        found |= {f"{name}: mark {mark.name}": mark.target for mark in board.annotations.list}
    return found


def texts_of(boards: Sequence[Dashboard]) -> list[str]:
    """The SQL of all these, and of what may be chosen."""
    choices = [each for board in boards for each in board.templating.list if isinstance(each, QueryVariable)]
    return [query.raw_sql for query in queries_of(boards).values()] + [each.query.raw_sql for each in choices]
