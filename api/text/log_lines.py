"""Log records as lines: for people at a terminal, or as JSON for what collects logs. All that is logged passes here.

Names and reasons from outside are in them, so no line can steer a terminal; and no recipient is ever in one: whatever
looks like an address of somebody keeps its domain alone.
"""

import logging
import re
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import msgspec

from api.text.harmless import harmless, harmless_json, harmless_lines

#: Something before an `@`, then a host: a policy's version (`default@53f752ba7b3b`) has none. What stands between
#: quotes may hold blanks (RFC 5321, 4.1.2).
MAILBOX = re.compile(
    r"""(?:"[^"\n]{1,64}"|[^\s<>"'(),:;@=]{1,128})"""
    r"@(?=\[[\w.:]|[\w-]+\.\w|localhost\b)"
)
HIDDEN = "***@"


def without_mailboxes(text: str) -> str:
    """The text with `***` in place of what stands before the `@` of a mail address."""
    return MAILBOX.sub(HIDDEN, text) if "@" in text else text


class HarmlessFormatter(logging.Formatter):
    """A record's message is one line; a traceback has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The message with what the format puts around it."""
        return without_mailboxes(harmless(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """A traceback, over several lines, each distinguished from a record by the blanks before it."""
        return indent(without_mailboxes(harmless_lines(super().formatException(ei))), "  ")


class LogLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record. `time` is RFC 3339, UTC; `customer` and `alert` (its id) stand there where a record is about one."""

    time: str
    level: str
    stage: str
    logger: str
    message: str
    customer: str = ""
    alert: str = ""
    error: str = ""


class JsonFormatter(logging.Formatter):
    """A record is one line of JSON. `stage` is the command that runs."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._stage = stage

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = LogLine(
            time=f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{record.msecs:03.0f}Z",
            level=record.levelname.lower(),
            stage=self._stage,
            logger=record.name,
            message=without_mailboxes(record.getMessage()),
            customer=str(getattr(record, "customer", "")),
            alert=str(getattr(record, "alert", "")),
            error=without_mailboxes(self.formatException(record.exc_info)) if record.exc_info else "",
        )
        return harmless_json(msgspec.json.encode(line).decode())


def formatter(form: str, stage: str, *, terminal: bool) -> logging.Formatter:
    """The formatter for `log.format`: `auto` is text on a terminal and JSON elsewhere."""
    if form == "text" or (form == "auto" and terminal):
        return HarmlessFormatter("%(asctime)s %(name)s: %(message)s")
    return JsonFormatter(stage)
