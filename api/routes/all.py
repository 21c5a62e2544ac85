"""All groups of routes, in the order in which the reference shows them."""

from api.routes import standing

ROUTERS = (standing.router,)
