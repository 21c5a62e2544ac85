"""A line of Postfix that tells something of a message, with what is known besides: the log, the settings. Pure."""

from collections.abc import Sequence

import msgspec

from schemas.event import MailEvent
from streams.adapt.base import Context, FormatOptions
from streams.adapt.canonical import complete
from streams.adapt.postfix_queue import Queue, QueuedMessage
from streams.adapt.syslog import LogClock

NAME = "postfix"


class PostfixLog:
    """What is known besides a line of a log of Postfix."""

    __slots__ = ("clock", "context", "options", "plain", "queue")

    def __init__(self, queue: Queue, context: Context) -> None:
        """What was remembered, and what the settings say."""
        self.queue, self.context = queue, context
        self.options: FormatOptions = context.options(NAME)
        self.clock = LogClock(self.options.time_zone)
        options = self.options
        self.plain = not (options.stream or options.sub_account or options.pool or options.dkim_domain)

    def completed(self, events: Sequence[MailEvent], may_have_nul: bool) -> list[MailEvent]:
        """The events as they leave the adapter."""
        if len(events) == 1:
            return [complete(events[0], self.context, may_have_nul=may_have_nul)]
        return [complete(event, self.context, may_have_nul=may_have_nul) for event in events]


class PostfixEntry(msgspec.Struct, gc=False):
    """A line of a message. Its time is known as text or as epoch ms."""

    log: PostfixLog
    message: QueuedMessage
    tag: str
    queue_id: str
    written: str = ""
    time_ms: int | None = None

    def is_of(self, program: str) -> bool:
        """Whether a program wrote it; not where the tag is only the instance."""
        return self.tag.endswith(f"/{program}")

    def when(self) -> int:
        """The time (epoch ms)."""
        if self.time_ms is None:
            self.time_ms = self.log.clock.time_ms(self.written, self.log.context.now_ms())
        return self.time_ms
