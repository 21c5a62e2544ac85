"""All pages. The last one answers what no other does."""

from api.console.pages import (
    audit,
    blocklists,
    case,
    case_acts,
    dead_letters,
    fleet,
    health,
    holds,
    incidents,
    mine,
    missing,
    policy,
    providers,
    sign_in,
    static,
)

ROUTERS = (
    static.router,
    sign_in.router,
    fleet.router,
    case.router,
    case_acts.router,
    incidents.router,
    holds.router,
    providers.router,
    blocklists.router,
    policy.router,
    dead_letters.router,
    audit.router,
    health.router,
    mine.programs,
    mine.router,
    missing.router,
)
