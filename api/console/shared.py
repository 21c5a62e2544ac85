"""What the pages of one interface share among their viewers: what was read last, and work in the background."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from api.console.background import Background
from api.console.kept import LastKnown

#: How long a policy may be tried, and how long letters may be sent again, in s.
TRIAL_S, REPLAY_S = 1_800.0, 3_600.0
#: What takes long to read is shown to all viewers for so long, in ms.
HOUR_MS, MINUTE_MS, MOMENT_MS = 3_600_000, 60_000, 15_000


@dataclass(frozen=True)
class Shared:
    """`last` is read anew each time and kept for the time in which the store does not answer; the others are also
    given to who asks within a moment, a minute or an hour."""

    last: LastKnown[Any] = field(default_factory=LastKnown)
    of_moment: LastKnown[Any] = field(default_factory=lambda: LastKnown(MOMENT_MS))
    of_hour: LastKnown[Any] = field(default_factory=lambda: LastKnown(HOUR_MS))
    of_minute: LastKnown[Any] = field(default_factory=lambda: LastKnown(MINUTE_MS))
    trial: Background[Any] = field(default_factory=lambda: Background("try a policy", TRIAL_S))
    replay: Background[Any] = field(default_factory=lambda: Background("send dead letters again", REPLAY_S))
    status: Background[Any] = field(default_factory=lambda: Background("ask for the status", MINUTE_MS / 1000))


async def shared_of(request: Request) -> Shared:
    """The application's. Handlers of one event loop ask, so there is one."""
    found = getattr(request.app.state, "shared_by_pages", None)
    if not isinstance(found, Shared):
        found = request.app.state.shared_by_pages = Shared()
    return found


SharedPages = Annotated[Shared, Depends(shared_of)]
