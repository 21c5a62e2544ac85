"""Whether a log has lines of Postfix at all: other programs' lines give no events, and no error either. Pure."""

from datetime import tzinfo

from streams.adapt.base import AdaptError
from streams.adapt.postfix_lines import QUEUE_ID
from streams.adapt.syslog import SyslogLine, read_line

#: Postfix's daemons (https://www.postfix.org/OVERVIEW.html) and commands that log, by the last part of the tag.
_PROGRAMS = frozenset(
    {
        "anvil", "bounce", "cleanup", "discard", "dnsblog", "error", "flush", "lmtp", "local", "master", "pickup",
        "pipe", "postalias", "postdrop", "postfix-script", "postlog", "postmap", "postqueue", "postscreen",
        "postsuper", "proxymap", "qmgr", "qmqpd", "scache", "sendmail", "showq", "smtp", "smtpd", "spawn", "tlsmgr",
        "tlsproxy", "trivial-rewrite", "verify", "virtual",
    }
)  # fmt: skip
#: So many programs are named.
MOST_NAMED = 5


def strangers(head: bytes, zone: tzinfo, now_ms: int | None) -> list[str]:
    """The programs whose lines these are, in their order; empty where one is Postfix's, or no line of a system log."""
    found: dict[str, None] = {}
    for raw in head.split(b"\n"):
        text = raw.decode("utf-8", "replace").strip()
        if not text:
            continue
        try:
            line = read_line(text, zone, now_ms)
        except AdaptError:
            continue
        if _is_postfix(line):
            return []
        if len(found) < MOST_NAMED:
            found[line.tag or "no known program"] = None
    return list(found)


def _is_postfix(line: SyslogLine) -> bool:
    instance, slash, _ = line.tag.partition("/")
    if instance.startswith("postfix") or (slash and line.tag.rpartition("/")[2] in _PROGRAMS):
        return True
    queue_id, colon, said = line.text.partition(": ")
    return bool(colon and QUEUE_ID.fullmatch(queue_id) and ", relay=" in said and said.startswith("to=<"))
