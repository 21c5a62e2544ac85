"""All pages. The last one answers what no other does."""

from api.console.pages import fleet, missing, sign_in, static

ROUTERS = (
    static.router,
    sign_in.router,
    fleet.router,
    missing.router,
)
