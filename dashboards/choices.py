"""What is chosen at the top of dashboards: the variables."""

import msgspec

from dashboards.board import (
    ALL,
    Current,
    CustomVariable,
    DataSourceVariable,
    Option,
    QueryVariable,
    TextVariable,
    VariableQuery,
)
from dashboards.model import PROMETHEUS
from dashboards.palette import ALERT_LEVELS

DATA_SOURCE_UID = "repmon-clickhouse"
PROMETHEUS_UID = "repmon-prometheus"
CONSOLE = "http://127.0.0.1:8080/console"

#: Worst first, so that the dashboard opens on the customer who needs looking at. Grafana's `singlequote` does
#: not escape a backslash, so a name with one could end the text early in a query; such names are not offered.
CUSTOMERS = r"""
SELECT customer
FROM standings FINAL
WHERE scope = 'customer' AND position(customer, '\\') = 0
ORDER BY indexOf(['good', 'watch', 'warning', 'excessive', 'critical'], standing) DESC, customer
"""
#: As they were judged: what nobody judges has no alerts.
STREAMS = r"""
SELECT DISTINCT substring(scope, length('stream:') + 1) AS stream
FROM standings FINAL
WHERE startsWith(scope, 'stream:') AND position(scope, '\\') = 0
ORDER BY stream
LIMIT 1000
"""
#: Of the last day, the largest first.
PROVIDERS = r"""
SELECT value
FROM counts
WHERE dimension = 'provider' AND toStartOfHour(bucket) >= now() - INTERVAL 1 DAY AND position(value, '\\') = 0
GROUP BY value
ORDER BY sum(delivered) DESC, value
LIMIT 200
"""
POOLS = r"""
SELECT value
FROM counts
WHERE dimension = 'pool' AND toStartOfHour(bucket) >= now() - INTERVAL 1 DAY AND position(value, '\\') = 0
GROUP BY value
ORDER BY value
LIMIT 1000
"""


def data_source(chosen: Current | None = None) -> DataSourceVariable:
    """The store."""
    return DataSourceVariable(current=chosen or Current(text=DATA_SOURCE_UID, value=DATA_SOURCE_UID))


def prometheus(chosen: Current | None = None) -> DataSourceVariable:
    """The Prometheus that scrapes the stages; by default Grafana's own default one."""
    return DataSourceVariable(
        current=chosen or Current(text="default", value="default"),
        name="prometheus",
        label="Prometheus",
        query=PROMETHEUS,
    )


def console(address: str = CONSOLE) -> TextVariable:
    """Where links into the console lead: its address without a slash at the end."""
    chosen = Current(text=address, value=address)
    return TextVariable(
        name="console",
        label="Console",
        query=address,
        current=chosen,
        options=(Option(text=address, value=address, selected=True),),
    )


def query(name: str, label: str, sql: str, *, several: bool = True) -> QueryVariable:
    """A choice among what a query finds; with `several` of as many as one likes, at first of all."""
    text = sql.strip()
    return QueryVariable(
        name=name,
        label=label,
        query=VariableQuery(raw_sql=text),
        definition=text,
        include_all=several,
        multi=several,
        current=ALL if several else msgspec.UNSET,
    )


CUSTOMER = query("customer", "Customer", CUSTOMERS, several=False)
STREAM = query("stream", "Stream", STREAMS)
PROVIDER = query("provider", "Provider", PROVIDERS)
POOL = query("pool", "Pool", POOLS)
LEVEL = CustomVariable(
    name="level",
    label="Level",
    query=",".join(ALERT_LEVELS),
    options=(Option(text="All", value="$__all", selected=True), *(Option(text=n, value=n) for n in ALERT_LEVELS)),
)


def chosen(column: str, variable: str) -> str:
    """The condition that a column has a chosen value; always true where all are chosen."""
    return f"$__conditionalAll({column} IN (${{{variable}:singlequote}}), ${variable})"
