"""The fleet: every customer as it stands now, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from api.console.rendering import page
from api.console.routing import console_router
from api.console.visits import Reading
from api.explain.worst import WorstFilter, WorstLine, worst
from streams.decisions.customers import plans
from streams.decisions.overrides import for_plans, with_stored
from streams.decisions.stored_overrides import stored_overrides

router = console_router()
SHOWN = 50


@dataclass(frozen=True, slots=True)
class FleetView:
    """The customers of a page."""

    rows: tuple[WorstLine, ...]


def fleet_view(lines: Sequence[WorstLine]) -> FleetView:
    """The view of so many lines. Pure."""
    return FleetView(tuple(lines))


@router.get("/")
def get_fleet(request: Request, visit: Reading) -> Response:
    """The page."""
    visit.on_record("")
    service = visit.service
    with service.stores.lend() as store:
        policy = for_plans(service.policy(store), plans(store))
        policy = with_stored(policy, stored_overrides(store, visit.now_ms), visit.now_ms)
        found = worst(store, policy, service.definition.feedback_loop, SHOWN, visit.now_ms, WorstFilter())
    return page(request, "fleet.html", fleet_view(found))
