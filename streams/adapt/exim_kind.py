"""Whether a log has lines of Exim at all: other programs' lines give no events, and no error either. Pure."""

import re
from datetime import tzinfo

from streams.adapt.base import AdaptError
from streams.adapt.exim_lines import MESSAGE_ID
from streams.adapt.syslog import read_line

#: A line of its own file, or one behind a system log's head.
_OWN = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d|(?:\[\d{{1,10}}\] )?{MESSAGE_ID} ", re.ASCII)
#: So many programs are named.
MOST_NAMED = 5


def strangers(head: bytes, zone: tzinfo, now_ms: int | None) -> list[str]:
    """The programs whose lines these are, in their order; empty where one is Exim's, or no line of a system log."""
    found: dict[str, None] = {}
    for raw in head.split(b"\n"):
        text = raw.decode("utf-8", "replace").strip()
        if _OWN.match(text):
            return []
        try:
            line = read_line(text, zone, now_ms)
        except AdaptError:
            continue
        if line.tag.startswith("exim") or _OWN.match(line.text):
            return []
        if line.tag and len(found) < MOST_NAMED:
            found[line.tag] = None
    return list(found)
