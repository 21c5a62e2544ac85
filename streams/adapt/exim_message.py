"""What the lines of Exim's log have said so far of a message, and what is remembered of a log. Pure."""

from dataclasses import dataclass, field
from typing import Any

from streams.adapt.long_lines import LongLines
from streams.adapt.passes import Ledger
from streams.adapt.postfix_queue import MAX_AGAIN, Reply

#: Header fields that are kept of a message.
MAX_HEADERS = 50


@dataclass(slots=True)
class EximMessage:
    """What the lines of one message id have said so far. `arrived_ms` is when it came in (epoch ms; 0: not known)."""

    sender: str | None = None
    login: str = ""
    user: str = ""
    client: str = ""
    local: bool = False
    message_id: str = ""
    arrived_ms: int = 0
    waiting: dict[tuple[str, str], Reply] | None = None
    headers: dict[str, str] | None = None
    #: Lines of deliveries that were made while it came in (`>>`), before the line that says who sent it.
    held: list[Any] | None = None
    #: The host that took it last.
    given_to: str = ""
    #: Later passes of the same mail, and what counted of all of them.
    again: list["EximMessage"] | None = None
    ledger: Ledger | None = None

    def note_again(self, later: "EximMessage") -> None:
        """Keep a later pass of the same mail."""
        self.again = self.again or []
        if len(self.again) < MAX_AGAIN:
            self.again.append(later)
            self.ledger = self.ledger if self.ledger is not None else {}
            later.ledger = self.ledger

    def inherit(self, earlier: "EximMessage") -> None:
        """Take what was said of an earlier pass and not of this one."""
        if earlier is not self:
            self.login, self.user = self.login or earlier.login, self.user or earlier.user
            if earlier.headers:
                self.headers = {**earlier.headers, **(self.headers or {})}

    def note_header(self, name: str, value: str) -> None:
        """A header field. Of two different values one was put there by somebody else: then neither counts."""
        self.headers = self.headers or {}
        if len(self.headers) < MAX_HEADERS and self.headers.setdefault(name, value) != value:
            self.headers[name] = ""

    def header(self, name: str) -> list[str]:
        """The value that was logged of a header field."""
        return list(filter(None, [(self.headers or {}).get(name.lower(), "")]))


@dataclass(slots=True)
class Memory:
    """What is remembered of a log: messages by id (and host), and by their Message-ID, the last replies to recipients,
    whether a transport delivers to other hosts, and the pieces of lines that are not complete."""

    messages: dict[str, EximMessage] = field(default_factory=dict)
    by_message_id: dict[str, EximMessage] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    transports: dict[str, bool] = field(default_factory=dict)
    may_have_nul: bool = False
    pieces: LongLines = field(default_factory=LongLines)
