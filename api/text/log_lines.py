"""Log records as lines that cannot steer a terminal: names and reasons from outside are in them."""

import logging
from textwrap import indent
from typing import Any

from api.text.harmless import harmless, harmless_lines


class HarmlessFormatter(logging.Formatter):
    """A record's message is one line; a traceback has several."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The message with what the format puts around it."""
        return harmless(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """A traceback, over several lines, each distinguished from a record by the blanks before it."""
        return indent(harmless_lines(super().formatException(ei)), "  ")
