"""The settings of how it is watched: metrics, logs, traces, and the Grafana that shows them."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.quantities import Megabytes, Port
from schemas.secrets import Address, Secret, Section


class MetricsSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Where a stage that runs by itself serves `/metrics` (for Prometheus) and `/healthz`. In `up`, `api` and `collect`
    their own HTTP interface serves both."""

    host: str = "127.0.0.1"
    """Where it listens."""
    port: Port = 0
    """Its port; 0 serves nothing."""
    least_free_mb: Megabytes = 500
    """A stage is not well while the store's disk has less room than this."""


class LogSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What stages log to standard error (docs/logs.md)."""

    format: Literal["auto", "text", "json"] = "auto"
    """`auto` is text on a terminal, and else a JSON object a line."""
    level: Literal["warning", "info"] = "warning"
    """From which level on; `--verbose` is `info`."""


class TraceSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Traces from the offset of a source to the alert (docs/logs.md)."""

    endpoint: Address = ""
    """Who takes them, by OTLP over HTTP (`http://127.0.0.1:4318/v1/traces`); empty traces nothing. It needs the extra
    `trace`."""
    share: Annotated[float, Meta(ge=0, le=1, extra={"unit": "ratio"})] = 1.0
    """Of how many changes, chosen by their ids, so that a whole trace is kept or none of it."""


class Grafana(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The Grafana that `dashboards deploy` writes to, and how Grafana itself reaches store and Prometheus."""

    url: Address = "http://127.0.0.1:3000"
    """Its address."""
    token: Secret = ""
    """A service account's token; or `user` and `password`."""
    user: str = ""
    """Who deploys, where there is no token."""
    password: Secret = ""
    """The user's password."""
    folder: str = "Sending reputation"
    """The folder of the dashboards; empty is the top level."""
    datasource: str = "repmon-clickhouse"
    """The name of the data source that is made for them."""
    clickhouse_host: str = "clickhouse"
    """The store's host, as Grafana reaches it."""
    clickhouse_port: Port = 8123
    """The store's HTTP port, as Grafana reaches it."""
    clickhouse_user: str = ""
    """Whom Grafana asks the store as, who needs no more than to read; empty is `clickhouse.user`, or beside a running
    `up` with its embedded store the user who only reads that."""
    clickhouse_password: Secret = ""
    """The password of `clickhouse_user`."""
    prometheus_url: Address = ""
    """The Prometheus that scrapes the stages, as Grafana reaches it: it gets a data source of its own. Empty: the
    dashboard of the pipeline opens with Grafana's default Prometheus."""
