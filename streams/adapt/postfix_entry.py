"""A line of Postfix that tells something of a message, with what is known besides: the log, the settings. Pure."""

from collections.abc import Sequence

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
        return [complete(event, self.context, may_have_nul=may_have_nul) for event in events]


class PostfixEntry:
    """A line of a message. Its time is known as text or as epoch ms."""

    __slots__ = ("log", "message", "queue_id", "tag", "time_ms", "written")

    def __init__(
        self,
        log: PostfixLog,
        message: QueuedMessage,
        tag: str,
        queue_id: str,
        written: str = "",
        time_ms: int | None = None,
    ) -> None:
        """A line of a message in the queue."""
        self.log, self.message, self.tag, self.queue_id = log, message, tag, queue_id
        self.written, self.time_ms = written, time_ms

    def is_of(self, program: str) -> bool:
        """Whether a program wrote it; not where the tag is only the instance."""
        return self.tag.endswith(program) and self.tag[: -len(program)].endswith("/")

    def when(self) -> int:
        """The time (epoch ms)."""
        if self.time_ms is None:
            self.time_ms = self.log.clock.time_ms(self.written, self.log.context.now_ms())
        return self.time_ms
