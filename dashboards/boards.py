"""All dashboards, and how each is kept: one file of JSON, the same bytes for the same input."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from dashboards import choices, links
from dashboards.alerts import alert_history, decided, open_alerts
from dashboards.board import Current, Dashboard, Templating, TimeRange, Variable
from dashboards.build import Group, lay_out
from dashboards.customer import customer
from dashboards.fleet import fleet
from dashboards.mailbox_providers import providers as provider_rows
from dashboards.marks import marks
from dashboards.pipeline import asking, health, intake, judging
from dashboards.pools import blocklists, pools
from schemas import providers

#: Next to this module, a file for each dashboard.
FOLDER = Path(__file__).parent
PREFIX = "repmon-"


class Sources(NamedTuple):
    """Which data sources dashboards open with, and where the console is. None is the one of the usual name."""

    store: Current | None = None
    prometheus: Current | None = None
    console: str = choices.CONSOLE


def build_dashboards(
    sources: Sources | None = None, feedback_loop: Sequence[str] | None = None
) -> tuple[Dashboard, ...]:
    """All of them. `feedback_loop` are the providers that report single complaints, by default those of the project's
    table."""
    used = Sources() if sources is None else sources
    loops = providers.load_providers().with_feedback_loop() if feedback_loop is None else feedback_loop
    store, console = choices.data_source(used.store), choices.console(used.console)
    reputation = _board(
        links.REPUTATION,
        "Sending reputation",
        "Complaint, failure and block rates, of the fleet and of one customer.",
        (store, console, choices.CUSTOMER),
        (fleet(loops), customer(loops)),
    )
    alerts = _board(
        links.ALERTS,
        "Alerts and incidents",
        "What is open and on what evidence, what hits many customers, what people decided.",
        (store, console, choices.LEVEL, choices.STREAM),
        (open_alerts(), alert_history(), decided()),
        span="now-7d",
    )
    mailbox_providers = _board(
        links.PROVIDERS,
        "Providers",
        "Deferrals, blocks, failures and complaints by mailbox provider: is it us, one customer, or them?",
        (store, console, choices.PROVIDER, choices.STREAM),
        provider_rows(loops),
        span="now-7d",
    )
    by_pool = _board(
        links.POOLS,
        "Pools and blocklists",
        "Listings over time with their likeliest cause, and how pools fare.",
        (store, console, choices.POOL, choices.STREAM),
        (blocklists(loops), pools(loops)),
        span="now-7d",
    )
    pipeline = _board(
        links.PIPELINE,
        "Pipeline",
        "Whether every stage does its work: health, lag, judging, notifications. From Prometheus.",
        (store, choices.prometheus(used.prometheus), console),
        (health(), intake(), judging(), asking()),
    )
    return (
        msgspec.structs.replace(reputation, annotations=marks(customer=True)),
        msgspec.structs.replace(alerts, annotations=marks(levels=True)),
        *(msgspec.structs.replace(each, annotations=marks()) for each in (mailbox_providers, by_pool)),
        msgspec.structs.replace(pipeline, annotations=marks(alerts=False)),
    )


def to_json(dashboard: Dashboard) -> str:
    """The JSON as it is kept in the project: the same dashboard gives the same text."""
    return msgspec.json.format(msgspec.json.encode(dashboard), indent=2).decode() + "\n"


def file_name(dashboard: Dashboard) -> str:
    """The name of its file."""
    return f"{dashboard.uid.removeprefix(PREFIX)}.json"


def _board(
    uid: str,
    title: str,
    description: str,
    variables: tuple[Variable, ...],
    rows: tuple[Group, ...],
    span: str = "now-24h",
) -> Dashboard:
    return Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=(links.TAG,),
        templating=Templating(list=variables),
        panels=lay_out(rows),
        links=links.board_links(),
        time=TimeRange(from_=span),
    )
