"""Where one goes from a dashboard: to the others, and into the console, where one can act."""

from dashboards.board import BoardLink
from dashboards.model import Link

TAG = "repmon"
REPUTATION, ALERTS, PROVIDERS, POOLS, PIPELINE = (
    f"repmon-{name}" for name in ("reputation", "alerts", "providers", "pools", "pipeline")
)
#: A name in an address, whatever is in it.
NAME = "${__value.raw:percentencode}"
TIMES = "${__url_time_range}"

CASE = Link(title="Open the case in the console", url="${console:raw}/customers/" + NAME, target_blank=True)
SHOW_CUSTOMER = Link(title="Show this customer", url=f"/d/{REPUTATION}?var-customer={NAME}&{TIMES}")
SHOW_PROVIDER = Link(title="Show this provider", url=f"/d/{PROVIDERS}?var-provider={NAME}&{TIMES}")
SHOW_POOL = Link(title="Show this pool", url=f"/d/{POOLS}?var-pool={NAME}&{TIMES}")
#: What a customer's name leads to.
OF_CUSTOMER = (CASE, SHOW_CUSTOMER)
INCIDENT = Link(title="This incident in the console", url="${console:raw}/incidents/" + NAME, target_blank=True)
HOLD = Link(title="What is held, in the console", url="${console:raw}/holds/" + NAME, target_blank=True)
HELD = Link(title="Incidents and holds in the console", url="${console:raw}/incidents", target_blank=True)
BLOCKLISTS = Link(title="Blocklists in the console", url="${console:raw}/blocklists", target_blank=True)


def board_links(*, console: bool = True) -> tuple[BoardLink, ...]:
    """At the top of each dashboard: the others, and the console where its address is known."""
    others = BoardLink(title="repmon", type="dashboards", tags=(TAG,), as_dropdown=True)
    own = BoardLink(title="Console", type="link", url="${console:raw}/", keep_time=False, target_blank=True)
    return (others, own) if console else (others,)
