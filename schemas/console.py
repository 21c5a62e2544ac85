"""Who may look at the operators' console, and for how long."""

from typing import Annotated, Literal

from msgspec import Meta

from schemas.secrets import Address, Section

Minutes = Annotated[float, Meta(ge=1, le=525_600, extra={"unit": "min"})]
Hours = Annotated[float, Meta(gt=0, le=8_760, extra={"unit": "h"})]
Seconds = Annotated[float, Meta(ge=0.1, le=3_600, extra={"unit": "s"})]
UserScope = Literal["read", "act", "policy", "keys"]


class ConsoleSettings(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The console (docs/console.md)."""

    url: Address = ""
    """Where browsers reach it, such as `https://console.example`, if that is not where it listens. With `https` the
    cookie of a session goes over nothing else."""
    idle_minutes: Minutes = 240.0
    """Who opens no page for so long must sign in again; a page that updates itself does not count."""
    session_hours: Hours = 12.0
    """And everybody after so long."""
    user_header: str = ""
    """The header in which a proxy that signs people in says who it is (`X-Forwarded-User`); empty takes none."""
    trusted_proxies: tuple[str, ...] = ()
    """The addresses or networks of such proxies: the header is believed from these alone."""
    user_scopes: tuple[UserScope, ...] = ("read",)
    """What people whom the proxy names may do."""
    embed_origins: tuple[str, ...] = ()
    """Sites that may show customers their own page in a frame, such as `https://portal.example`; empty: none may."""
    embed_minutes: Minutes = 60.0
    """A token for such a frame is good for so long."""
    refresh_s: Seconds = 2.0
    """How long the fleet page rests at least before it reads again who changed and who is looked at."""
