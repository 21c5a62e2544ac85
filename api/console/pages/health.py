"""Health: how the whole installation is, as `repmon status` shows it, kept up to date while somebody looks."""

from dataclasses import dataclass

from fastapi import Request, Response

from api.console.background import Job
from api.console.operations import Operating
from api.console.rendering import page
from api.console.routing import console_router
from api.console.shared import Shared, SharedPages
from api.console.visits import Visit, Watching
from api.text.status import CANNOT_TELL, UNWELL, WELL, StatusLine, StatusSeen, exit_code, status_lines

router = console_router()
#: Asked again where what is known is older, in ms; a page asks for it so often.
FRESH_MS = 5_000
#: What is older is said to be old: a store that does not answer is waited for, and meanwhile nobody knows.
OLD_MS = 20_000
#: Parts of which somebody knows how to look closer here.
PAGES = {
    "dead letters": "/console/dead-letters",
    "zones": "/console/blocklists",
    "incidents": "/console/incidents",
    "holds": "/console/incidents#holds",
}
WORDS = {WELL: "All is well", UNWELL: "Not well", CANNOT_TELL: "Nobody can tell"}


@dataclass(frozen=True, slots=True)
class HealthView:
    """What was seen at `seen_ms` (epoch ms; None: it is being asked for the first time), part by part, those first that
    need somebody."""

    code: int
    lines: tuple[StatusLine, ...]
    seen_ms: int | None
    fault: str = ""
    is_old: bool = False

    pages = PAGES

    @property
    def words(self) -> str:
        """The whole in a word or two."""
        if self.seen_ms is None:
            return "Being asked"
        if self.is_old and self.code == CANNOT_TELL:
            return "Being asked again"
        waits = self.code == WELL and any(each.state == "look" for each in self.lines)
        return "Well, but something needs a look" if waits else WORDS[self.code]

    @property
    def to_do(self) -> tuple[StatusLine, ...]:
        """What to do about which part."""
        return tuple(each for each in self.lines if each.mend)


RANK = {"unwell": 0, "unknown": 1, "look": 2, "well": 3}


def health_view(seen: StatusSeen | None, now_ms: int, fault: str = "") -> HealthView:
    """The view of what was seen, at a moment (epoch ms). Pure."""
    if seen is None:
        return HealthView(CANNOT_TELL, (), None, fault)
    lines = status_lines(seen)
    code, is_old = exit_code(lines), now_ms - seen.now_ms >= OLD_MS
    in_order = tuple(sorted(lines, key=lambda each: RANK[each.state]))
    return HealthView(CANNOT_TELL if is_old and code == WELL else code, in_order, seen.now_ms, fault, is_old)


def look(shared: Shared, visit: Visit, operating: Operating) -> HealthView:
    """What is known; where that is old it is asked for on the way."""
    job = shared.status.job
    known = job.about if job else None
    if job is not None and isinstance(job.result, StatusSeen):
        known = job.result
    age_ms = visit.now_ms - known.now_ms if isinstance(known, StatusSeen) else FRESH_MS

    def work(_: Job[object]) -> StatusSeen:
        return operating.status()

    if abs(age_ms) >= FRESH_MS:
        shared.status.begin(known, visit.who, visit.service.clock, work)
    fault = job.progress.fault if job else ""
    return health_view(known if isinstance(known, StatusSeen) else None, visit.now_ms, fault)


@router.get("/health")
async def get_health(request: Request, visit: Watching, shared: SharedPages, operating: Operating) -> Response:
    """The page."""
    return page(request, "health.html", look(shared, visit, operating))


@router.get("/health/now")
async def get_health_now(request: Request, visit: Watching, shared: SharedPages, operating: Operating) -> Response:
    """What of the page changes."""
    return page(request, "health_now.html", look(shared, visit, operating))
