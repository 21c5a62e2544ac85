"""All groups of routes, in the order in which the reference shows them."""

from api.routes import alerts, explain, listings, outcomes, rates, standing

ROUTERS = (
    standing.router,
    rates.router,
    alerts.router,
    explain.router,
    outcomes.router,
    listings.router,
)
