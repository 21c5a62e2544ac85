"""What the pages of the console work with besides the interface's own service."""

import asyncio
import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from api.console.fleet.drawn import DrawnRows
from api.console.fleet.watch import FleetWatch
from api.console.sessions import Sessions
from api.http.keys import KeyOwner
from schemas.console import ConsoleSettings

COOKIE = "repmon_session"


@dataclass(frozen=True)
class ConsoleService:
    """Sessions, the settings they follow, and the fleet as it is read for all viewers, with its rows drawn."""

    sessions: Sessions
    settings: ConsoleSettings
    fleet: FleetWatch
    drawn: DrawnRows = field(default_factory=DrawnRows)
    #: What the store is being asked about the keys of sessions, by hash.
    asked: "dict[str, asyncio.Task[KeyOwner | None]]" = field(default_factory=dict)
    #: What tokens of users are made with whom a proxy names.
    proxy_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the console by https alone."""
        return urlsplit(self.settings.url).scheme == "https"

    def trusts(self, address: str) -> bool:
        """Whether a request that comes from an address may say who its user is."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in ip_network(each, strict=False) for each in self.settings.trusted_proxies)


async def console_of(request: Request) -> ConsoleService:
    """The application's console."""
    found = request.app.state.console
    assert isinstance(found, ConsoleService)  # noqa: S101
    return found


Console = Annotated[ConsoleService, Depends(console_of)]


def console_lines(url: str, console: ConsoleService, *, link: bool) -> list[str]:
    """Where the console is, of an interface at `url`, and with `link` how to sign in at once: whoever reads that may
    decide anything. People are led to where browsers reach it."""
    at = f"{console.settings.url.rstrip('/') or url}/console/"
    lines = [f"console  {at}"]
    return [*lines, f"sign in  {at}enter?token={console.sessions.link()}  (once)"] if link else lines
