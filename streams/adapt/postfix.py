"""Postfix log lines, one or many a message.

Format: https://www.postfix.org/DEBUG_README.html , and the log calls of its delivery agents; the time's forms are in
`streams.adapt.syslog`. Read are the lines of delivery agents with `to=<...>` and `status=`, and the queue manager's
`status=expired`, which stands for each recipient that was deferred last. All other lines give no event.

Who sent a message is in other lines of the same queue id. So send the lines of a message together, or take the
customer from what each line has. The options `customer`, `stream`, `sub_account` and `pool` name a place:

- `sasl_username`: who logged in to send (line of smtpd).
- a place of `streams.adapt.places`, such as `sender`, `verp:PATTERN` and `domain` by the envelope sender (line of qmgr)
  and `header.NAME`, `feedback-id.N` and `dkim` by what a `header_checks` rule logs with WARN or INFO (line of cleanup).
- `instance`: the `syslog_name`, such as `postfix-acme`.
- `host`: the host that wrote the line.

By default the customer is `sasl_username`, else `sender`. The option `time_zone` is that of times without an offset.

A message handed to a content filter on the same host is not delivered yet: its second log line counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import reply_of, stable_id
from streams.adapt.owners import Owners
from streams.adapt.places import SHARED, SentMail, find_customer, in_words, shared_place
from streams.adapt.syslog import SyslogLine, read_line

NAME = "postfix"

_TYPES: dict[str, EventType] = {
    "sent": "delivered",
    "deferred": "deferred",
    "bounced": "bounced",
    "softbounce": "deferred",
    "expired": "expired",
    "force-expired": "expired",
}
#: How many messages and recipients of one are remembered: those that came last.
MAX_MESSAGES = 100_000
MAX_DEFERRED = 1_000

#: A queue id, short (hexadecimal) or long (without vowels), before the rest of the text.
_QUEUE_ID = re.compile(r"([0-9A-F]{5,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): ")
_RECIPIENT = re.compile(r"to=<([^>]*)>, (?:orig_to=<([^>]*)>, )?")
_RELAY = re.compile(r"\brelay=([^\s,\[]+)(?:\[([^\]]*)\])?")
_DSN = re.compile(r"\bdsn=([245]\.\d{1,3}\.\d{1,3})\b")
#: Seconds since the message came in (postconf(5), `delay_logging_resolution_limit`).
_DELAY = re.compile(r"\bdelay=(\d{1,9}(?:\.\d{1,6})?)\b")
_SENDER = re.compile(r"(?:uid=\d+ )?from=<([^>]*)>")
_LOGIN = re.compile(r"client=.*?\bsasl_username=([^\s,]+)")
_MESSAGE_ID = re.compile(r"(?:resent-)?message-id=<?([^>]*)>?")
_LOGGED_HEADER = ("warning: header ", "info: header ")
#: Where the customer is looked for, if the options do not say.
_DEFAULT_PLACES = ("sasl_username", "sender")
_FILTERS = frozenset({"127.0.0.1", "::1"})


@dataclass(slots=True)
class _Message:
    """What the lines of one queue id have said so far: when it came in (epoch ms), whom it could not be delivered to
    yet."""

    sender: str = ""
    login: str = ""
    message_id: str = ""
    queued_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    deferred: dict[str, None] = field(default_factory=dict)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each line that tells a recipient's fate.

    Raises:
        AdaptError: a line of no system log, a time that cannot be read, or no customer can be found; names the line.
    """
    return Journal().adapt(raw, context)


class Journal:
    """Lines of one log in their order: what earlier ones say of a message is remembered for later ones."""

    def __init__(self) -> None:
        """Begin without memory."""
        self._messages: dict[str, _Message] = {}

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        lines = raw.decode("utf-8", "replace").split("\n")
        if not any(map(str.strip, lines)):
            raise AdaptError("the message is empty")
        events = []
        many = len(lines) > 1
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                events += [complete(event, context) for event in self._line(line.rstrip("\r"), context)]
            except AdaptError as error:
                raise AdaptError(f"line {number}: {error}" if many else str(error)) from error
        return events

    def _line(self, text: str, context: Context) -> Iterator[MailEvent]:
        options = context.options(NAME)
        line = read_line(text, options.time_zone, context.now_ms())
        found = _QUEUE_ID.match(line.text) if "/" in line.tag else None
        if found is None:
            return
        said = line.text[found.end() :]
        if said == "removed":
            self._messages.pop(found[1], None)
            return
        message = self._remembered(found[1])
        entry = _Entry(line, found[1], message, options, context.owners)
        if recipient := _RECIPIENT.match(said):
            # Who was sent to, before aliases; a bare user name is no such address.
            original = recipient[2] or ""
            address = original if "@" in original else recipient[1]
            yield from _delivery(entry, address, said[recipient.end() :])
            return
        _learn(message, said)
        if "status=" in said and _type(said.partition("status=")[2]) == "expired":
            expired, message.deferred = message.deferred, {}
            for address in expired or [""]:
                yield _event(entry, "expired", address)

    def _remembered(self, queue_id: str) -> _Message:
        message = self._messages.get(queue_id)
        if message is None:
            while len(self._messages) >= MAX_MESSAGES:
                del self._messages[next(iter(self._messages))]
            message = self._messages[queue_id] = _Message()
        return message


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a message with all that is known of it."""

    line: SyslogLine
    queue_id: str
    message: _Message
    options: FormatOptions
    owners: Owners

    @property
    def service(self) -> str:
        return self.line.tag.rpartition("/")[2]

    @property
    def instance(self) -> str:
        return self.line.tag.partition("/")[0]


def _learn(message: _Message, said: str) -> None:
    """Keep what a line tells that is not about a recipient."""
    if login := _LOGIN.match(said):
        message.login = login[1]
    if sender := _SENDER.match(said):
        message.sender = sender[1]
    elif named := _MESSAGE_ID.fullmatch(said):
        message.message_id = named[1]
    elif said.startswith(_LOGGED_HEADER):
        name, _, rest = said.partition(": header ")[2].partition(": ")
        value = rest.rpartition(" from ")[0].strip()
        # Of two different values one was put there by somebody else: then neither counts.
        if message.headers.setdefault(name.lower(), value) != value:
            message.headers[name.lower()] = ""


def _delivery(entry: _Entry, address: str, said: str) -> Iterator[MailEvent]:
    """What a delivery agent says of a recipient: fields, the status, a reason in brackets."""
    fields, _, rest = said.partition("status=")
    text = rest.partition(" (")[2].removesuffix(")")
    kind = _type(rest)
    relay = _RELAY.search(fields)
    host, ip = (relay[1], relay[2] or "") if relay else ("", "")
    if kind is None or (kind == "delivered" and _goes_on(entry.service, ip, text)):
        return
    # Once for all: rounding must not put outcomes of one message into two minutes.
    if not entry.message.queued_ms and (delay := _DELAY.search(fields)):
        entry.message.queued_ms = entry.line.time_ms - round(float(delay[1]) * 1000)
    deferred = entry.message.deferred
    if kind != "deferred":
        deferred.pop(address, None)
    elif len(deferred) < MAX_DEFERRED:
        deferred[address] = None
    event = _event(entry, kind, address)
    status = _DSN.search(fields)
    event.smtp_code, said_status = reply_of(text)
    event.enhanced_status = status[1] if status else said_status
    event.diagnostic = text
    event.mx_host = host if ip and "/" not in ip else ""
    yield event


def _type(status: str) -> EventType | None:
    """The type for what follows `status=`; None where it tells no fate (probes of an address)."""
    word = status.partition(" ")[0].rstrip(",").lower()
    return _TYPES.get(word)


def _goes_on(service: str, ip: str, text: str) -> bool:
    """Whether what was `sent` is still under way here: to a content filter, under another queue id, or nowhere."""
    return service == "discard" or ip in _FILTERS or text.startswith("forwarded as ")


def _event(entry: _Entry, kind: EventType, address: str) -> MailEvent:
    line, message, options = entry.line, entry.message, entry.options
    customer = find_customer(options, lambda place: _find(place, entry), *_DEFAULT_PLACES)
    if not customer:
        places = options.customer_places
        where = f"no value at {in_words(places)}" if places else "no login and no envelope sender is known"
        raise AdaptError(f"message {entry.queue_id}: {where}, and no default customer is configured")
    event = MailEvent(
        id=stable_id(NAME, line.host, entry.queue_id, kind, address, line.time_ms),
        type=kind,
        time=line.time_ms,
        customer=customer,
        message_id=message.message_id or entry.queue_id,
        recipient=address,
        from_domain=domain_of(message.sender),
        sent=message.queued_ms,
    )
    return fill(event, options, lambda place: _find(place, entry))


def _find(place: str, entry: _Entry) -> str:
    message = entry.message
    places = {"sasl_username": message.login, "instance": entry.instance, "host": entry.line.host}
    if place in places:
        return places[place]
    mail = SentMail([message.sender], header=lambda name: list(filter(None, [message.headers.get(name.lower(), "")])))
    found = shared_place(place, mail, entry.owners)
    if found is None:
        known = ", ".join(f"`{name}`" for name in places)
        raise AdaptError(f"the option `{place}` is not a place in Postfix lines; use {known}, {SHARED}")
    return found
