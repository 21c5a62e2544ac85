"""A log in a folder, and who follows it."""

from pathlib import Path

import msgspec

from jobs.follow.follower import Follower, Unread
from jobs.follow.state import FollowError, FollowStore
from schemas.event import MailEvent
from schemas.providers import load_providers
from streams.adapt import Context, FormatOptions

CONTEXT = Context(
    b"a key", load_providers(), {"postfix": FormatOptions(default_customer="nobody")}, clock=lambda: 1_741_003_200_000
)
HEAD = "2025-03-03T10:11:12.5+00:00 mx1 postfix/"


def began(queue_id: str, login: str = "acme") -> str:
    return (
        f"{HEAD}smtpd[1]: {queue_id}: client=a[192.0.2.9], sasl_username={login}\n"
        f"{HEAD}qmgr[1]: {queue_id}: from=<b@acme.example>, size=9 (queue active)\n"
    )


def ended(queue_id: str) -> str:
    to = f"to=<{queue_id}@gmail.com>, relay=mx.google.com[192.0.2.26]:25, delay=1"
    return f"{HEAD}smtp[1]: {queue_id}: {to}, dsn=2.0.0, status=sent (250 OK)\n"


class Site:
    """A log in a folder, and who follows it; time goes by only when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.path, self.state = folder / "mail.log", folder / "state"
        self.now = 0.0
        self.events: list[MailEvent] = []
        self.told: list[Unread] = []
        self.reachable = True
        self._waiting: list[MailEvent] = []
        self.follower: Follower | None = None

    def write(self, text: str, path: Path | None = None) -> None:
        with (path or self.path).open("a") as file:
            file.write(text)

    def start(self, format_name: str = "postfix") -> Follower:
        store = FollowStore(self.state, self.path, format_name)
        try:
            self.follower = Follower.begin(
                self.path, format_name, store, CONTEXT, self._publish, self._acknowledged, self.told.append, self.now
            )
        except FollowError:
            store.close()
            raise
        return self.follower

    def step(self, later_s: float = 0.0) -> None:
        """Look until nothing more comes, some time later."""
        self.now += later_s
        assert self.follower is not None
        while self.follower.step(self.now):
            pass

    def stop(self) -> None:
        """As SIGTERM does."""
        assert self.follower is not None
        self.follower.keep(self.now, memory=True)
        self.follower.close()

    def kill(self) -> None:
        """As SIGKILL does: nothing is kept, nothing that waits is sent."""
        assert self.follower is not None
        self._waiting.clear()
        self.follower.close()

    def rotate(self) -> Path:
        older = self.path.with_name(f"mail.log.{len(list(self.path.parent.iterdir()))}")
        self.path.rename(older)
        self.path.touch()
        return older

    @property
    def customers(self) -> dict[str, str]:
        return {event.message_id: event.customer for event in self.events}

    @property
    def sent(self) -> list[str]:
        return [event.message_id for event in self.events]

    def _publish(self, key: bytes, value: bytes) -> None:
        event = msgspec.json.decode(value, type=MailEvent)
        assert key == event.customer.encode()
        self._waiting.append(event)

    def _acknowledged(self) -> bool:
        if self.reachable:
            self.events += self._waiting
            self._waiting.clear()
        return self.reachable
