"""All groups of routes, in the order in which the reference shows them."""

from api.routes import (
    alerts,
    decisions,
    explain,
    fleet,
    incidents,
    keys,
    listings,
    outcomes,
    pictures,
    policies,
    rates,
    standing,
    upkeep,
)

ROUTERS = (
    standing.router,
    rates.router,
    alerts.router,
    explain.router,
    outcomes.router,
    pictures.router,
    listings.router,
    fleet.router,
    decisions.router,
    incidents.router,
    policies.router,
    upkeep.router,
    keys.router,
)
