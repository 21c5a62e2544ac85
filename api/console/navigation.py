"""The pages that stand at the top of each page, in their order."""

from typing import NamedTuple


class NavigationEntry(NamedTuple):
    """Where a page is, and what it is called there; what begins with `path` belongs to it."""

    path: str
    label: str


NAVIGATION: tuple[NavigationEntry, ...] = (
    NavigationEntry("/console/", "Fleet"),
    NavigationEntry("/console/incidents", "Incidents"),
    NavigationEntry("/console/providers", "Providers"),
    NavigationEntry("/console/blocklists", "Blocklists"),
    NavigationEntry("/console/policy", "Policy"),
    NavigationEntry("/console/dead-letters", "Dead letters"),
    NavigationEntry("/console/audit", "Audit"),
    NavigationEntry("/console/health", "Health"),
)
