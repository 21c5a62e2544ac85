"""The dashboard "Sending reputation": the fleet, and one customer."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from dashboards.build import lay_out
from dashboards.customer import VARIABLE, customer
from dashboards.fleet import fleet
from dashboards.limits import limits_of
from dashboards.model import Current, Dashboard, DataSourceVariable, Templating
from schemas import policy as policies
from schemas import providers
from schemas.policy import Policy

#: Stable, so that links and bookmarks keep working.
UID = "repmon-reputation"
DATA_SOURCE_UID = "repmon-clickhouse"
#: The generated file, next to this module.
FILE = Path(__file__).with_name("reputation.json")


def build_dashboard(
    feedback_loop: Sequence[str] | None = None,
    policy: Policy | None = None,
    data_source: Current | None = None,
) -> Dashboard:
    """The dashboard. `feedback_loop` are the providers that report single complaints, by default those of the
    project's table; `policy`, by default the built-in one, gives the thresholds drawn; `data_source` is the
    name and uid of the data source it opens with.
    """
    names = providers.load_providers().with_feedback_loop() if feedback_loop is None else feedback_loop
    limits = limits_of(policies.load_policy() if policy is None else policy)
    chosen = data_source or Current(text=DATA_SOURCE_UID, value=DATA_SOURCE_UID)
    return Dashboard(
        uid=UID,
        title="Sending reputation",
        description="Complaint, failure and block rates and listings, of the fleet and of one customer.",
        tags=("repmon",),
        templating=Templating(list=(DataSourceVariable(current=chosen), VARIABLE)),
        panels=lay_out((fleet(names, limits, UID), customer(names, limits))),
    )


def to_json(dashboard: Dashboard) -> str:
    """The JSON as it is kept in the project: the same dashboard gives the same text."""
    return msgspec.json.format(msgspec.json.encode(dashboard), indent=2).decode() + "\n"
