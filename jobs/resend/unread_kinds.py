"""Logs and webhooks that are not read, by what only they have: told by name, with what to do instead.

Asked only of a file of which nothing was understood; a look at the beginning is enough.
"""

import re
from typing import NamedTuple

#: How much of the beginning is looked at, in bytes.
LOOKED_AT = 100_000


class UnreadKind(NamedTuple):
    """What it is called, what its records have, and what can be done."""

    name: str
    has: re.Pattern[bytes]
    instead: str


_BOUNCES = "the notifications that it sends are read: --format dsn"
_NO_MAIL = "it is about no single mail"
_CANONICAL = "make repmon's own JSON of it: --format canonical"


def _line(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.MULTILINE)


KINDS = (
    UnreadKind("sendmail's log", _line(rb"^.{10,200}\bmailer=\w+,.{0,400}\bstat="), _BOUNCES),
    UnreadKind("OpenSMTPD's log", _line(rb"^.{10,200}\bmta delivery evpid=.{0,600}\bresult="), _BOUNCES),
    UnreadKind(
        "qmail's log",
        _line(rb"^.{0,60}(?:delivery \d+: (?:success|failure|deferral): |starting delivery \d+: msg \d+ to )"),
        _BOUNCES,
    ),
    UnreadKind("Haraka's log", _line(rb"^.{0,120}\[outbound\] (?:delivered|bounced|deferred|notes)\b"), _BOUNCES),
    UnreadKind("Stalwart's log", _line(rb"^\S{10,40} [A-Z]{4,5} .{1,200} \((?:delivery|queue)\.[a-z-]+\)"), _BOUNCES),
    UnreadKind(
        "maddy's log",
        _line(rb'^(?:\S+ )?(?:remote|queue|submission)\S{0,40}: [^{\n]{1,200}\{.{0,400}"msg_id"'),
        _BOUNCES,
    ),
    UnreadKind("Exchange's message tracking log", _line(rb"^\W{0,3}#Log-type: ?Message Tracking Log"), _BOUNCES),
    UnreadKind("hMailServer's log", _line(rb'^"(?:SMTPC|SMTPD|DELIVERER|APPLICATION)"\t\d+\t'), _BOUNCES),
    UnreadKind("Momentum's log", _line(rb"^\d{10}@[^\n]{10,300}@[A-Z]@"), _CANONICAL),
    UnreadKind(
        "GreenArrow's events",
        re.compile(rb'"event_type"\s*:\s*"(?:delivery_attempt|bounce_all|bounce_bad_address|scomp|engine_unsub)"'),
        _CANONICAL,
    ),
    UnreadKind(
        "Elastic Email's webhook",
        re.compile(
            rb'"transaction"\s*:[^{}]{0,600}"status"\s*:\s*"\w+"|"status"\s*:\s*"\w+"[^{}]{0,600}"transaction"\s*:'
            rb"|(?:^|&)transaction=[^&\n]{0,80}&[^\n]{0,600}\bstatus=|(?:^|&)status=\w+&[^\n]{0,600}&transaction=",
            re.MULTILINE,
        ),
        _CANONICAL,
    ),
    UnreadKind(
        "Stalwart's webhook", re.compile(rb'"type"\s*:\s*"(?:delivery|queue|dsn|incoming-report)\.[a-z-]+"'), _CANONICAL
    ),
    UnreadKind(
        "SMTP2GO's webhook",
        re.compile(
            rb'"email_id"\s*:[^{}]{0,1500}"rcpt"\s*:|"rcpt"\s*:[^{}]{0,1500}"email_id"\s*:'
            rb"|\bemail_id=[^\n]{0,1500}&rcpt=|\brcpt=[^\n]{0,1500}&email_id="
        ),
        _CANONICAL,
    ),
    UnreadKind(
        "a webhook of Azure Communication Services",
        re.compile(rb'"eventType"\s*:\s*"Microsoft\.Communication\.Email'),
        _CANONICAL,
    ),
    UnreadKind(
        "ZoneMTA's log",
        re.compile(rb'"_?action"\s*:\s*"(?:QUEUED|ACCEPTED|REJECTED|DEFERRED|NOQUEUE)"'),
        _CANONICAL,
    ),
    UnreadKind("Microsoft 365's message trace", _line(rb'^\W{0,4}origin_timestamp_utc"?,"?sender_address\b'), _BOUNCES),
    UnreadKind(
        "a DMARC aggregate report",
        re.compile(rb"<feedback\b[^>]{0,300}>\s*(?:<version>.{0,20}</version>\s*)?<report_metadata>"),
        _NO_MAIL,
    ),
    UnreadKind("a TLS report", re.compile(rb'"organization-name"\s*:.{0,2000}"policies"\s*:', re.DOTALL), _NO_MAIL),
)


def unread_kind(head: bytes) -> str:
    """`looks like qmail's log, which is not read; ...`; empty where nothing is known."""
    begin = head[:LOOKED_AT]
    found = next((each for each in KINDS if each.has.search(begin)), None)
    return f"looks like {found.name}, which is not read; {found.instead}" if found else ""
