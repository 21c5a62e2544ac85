"""Postfix log lines, one or many a message.

Format: https://www.postfix.org/DEBUG_README.html , and the log calls in its source; the forms of a line are in
`streams.adapt.syslog`. Read are the lines of delivery agents with `to=<...>` and `status=`, and the queue manager's
`status=expired`, which stands for each recipient that was deferred last, with the last reply. All other lines give no
event.

Who sent a message is in other lines of the same queue id. So send the lines of a message together, or take the
customer from what each line has. The options `customer`, `stream`, `sub_account` and `pool` name a place:

- `sasl_username`: who logged in to send (line of smtpd).
- a place of `streams.adapt.places`, such as `sender`, `verp:PATTERN` and `domain` by the envelope sender (line of qmgr)
  and `header.NAME`, `feedback-id.N` and `dkim` by what a `header_checks` rule logs with WARN or INFO (line of cleanup).
- `instance`: the `syslog_name`, such as `postfix-acme`.
- `host`: the host that wrote the line.

By default the customer is `sasl_username`, else `sender`. The option `time_zone` is that of times without an offset.

No event is what is no mail of a customer: notifications of Postfix and whatever else has no sender (unless who sent it
logged in, or a header field says who), probes, what stays on this host (local, virtual, LMTP to a socket or, without a
login, to anywhere), and what is given to a content filter: its later pass counts (`streams.adapt.postfix_queue`). The
options `filters` and `smarthosts` name relays that are the one or the other; without them those at 127.0.0.1 are
filters.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.canonical import complete
from streams.adapt.common import reply_of, stable_id
from streams.adapt.owners import Owners
from streams.adapt.places import SHARED, AmbiguousError, SentMail, find_customer, in_words, shared_place
from streams.adapt.postfix_lines import (
    QUEUE_ID,
    Fate,
    not_reached,
    proxied_login,
    read_client,
    read_fate,
    read_header,
    read_message_id,
    read_sender,
)
from streams.adapt.postfix_queue import MAX_TEXT, Message, Queue, Reply
from streams.adapt.postfix_relays import is_filter
from streams.adapt.syslog import LineReader, SyslogLine

NAME = "postfix"

_TYPES: dict[str, EventType] = {
    "sent": "delivered",
    "deferred": "deferred",
    "bounced": "bounced",
    "softbounce": "deferred",
    "expired": "expired",
    "force-expired": "expired",
}
_LOGGED_HEADER = ("warning: header ", "info: header ")
_PROXY = ("proxy-accept: ", "NOQUEUE: proxy-accept: ")
_NOTICE = " notification: "
_FORWARDED = "forwarded as "
_PIPED = "delivered via "
_NO_REPLY = Reply(0, "", "", "")
#: Places that say nothing of who sent a single mail.
_OF_NO_MAIL = frozenset({"sender", "instance", "host"})


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
        self._queue = Queue()
        self._reader: LineReader | None = None

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        text = raw.decode("utf-8", "replace")
        options, now_ms = context.options(NAME), context.now_ms()
        reader = self._reader = self._reader or LineReader(options.time_zone)
        about = _Log(self._queue, options, context.owners)
        if "\n" not in text and text.strip():
            events = self._line(reader.read(text.rstrip("\r"), now_ms), about)
            return _complete(events, context, may_have_nul=b"\0" in raw) if events else []
        may_have_nul, all_events = b"\0" in raw, list[MailEvent]()
        for number, line in enumerate(text.split("\n"), start=1):
            if line and not line.isspace():
                try:
                    if events := self._line(reader.read(line.rstrip("\r"), now_ms), about):
                        all_events += _complete(events, context, may_have_nul=may_have_nul)
                except AdaptError as error:
                    raise AdaptError(f"line {number}: {error}") from error
        if not all_events and not text.strip():
            raise AdaptError("the message is empty")
        return all_events

    def _line(self, line: SyslogLine, about: "_Log") -> Sequence[MailEvent]:
        queue_id, colon, said = line.text.partition(": ")
        learn = _LEARN.get(said[:4])
        if learn is None:
            if colon and line.text.startswith(_PROXY):
                self._queue.note_logins(*proxied_login(line.text))
            return ()
        if queue_id not in self._queue and not QUEUE_ID.fullmatch(queue_id):
            return ()
        return learn(line, queue_id, said, about)


def _complete(events: Sequence[MailEvent], context: Context, *, may_have_nul: bool) -> list[MailEvent]:
    return [complete(event, context, may_have_nul=may_have_nul) for event in events]


class _Log(NamedTuple):
    """What is known besides a line."""

    queue: Queue
    options: FormatOptions
    owners: Owners


class _Entry:
    """A line of a message with all that is known of it."""

    __slots__ = ("line", "message", "options", "owners", "queue", "queue_id")

    def __init__(self, line: SyslogLine, queue_id: str, about: _Log) -> None:
        self.line, self.queue_id = line, queue_id
        self.queue, self.options, self.owners = about
        self.message: Message = about.queue.message(queue_id, line.host)

    @property
    def service(self) -> str:
        """The program; empty where the tag is only the instance."""
        return self.line.tag.rpartition("/")[2] if "/" in self.line.tag else ""

    @property
    def instance(self) -> str:
        return self.line.tag.partition("/")[0]


def _recipient(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    # Some put the service into the tag, some not; what other programs write of a recipient has no `relay=`.
    if "/" not in line.tag and not line.tag.startswith(NAME) and ", relay=" not in said:
        return ()
    fate = read_fate(said)
    return () if fate is None else _delivery(_Entry(line, queue_id, about), fate)


def _sender(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    if sender := read_sender(said):
        about.queue.note_sender(about.queue.message(queue_id, line.host), sender)
        if sender.status and _TYPES.get(sender.status) == "expired":
            return _expired(_Entry(line, queue_id, about))
    return ()


def _pickup(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    if sender := read_sender(said):
        message = about.queue.begin(queue_id, line.host)
        message.picked_up = True
        about.queue.note_sender(message, sender)
    return ()


def _client(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    if said.startswith("client="):
        about.queue.note_client(about.queue.begin(queue_id, line.host), read_client(said))
    return ()


def _message_id(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    if said.startswith(("message-id=", "resent-message-id=")):
        about.queue.note_message_id(about.queue.message(queue_id, line.host), read_message_id(said))
    return ()


def _header(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    if said.startswith(_LOGGED_HEADER):
        about.queue.message(queue_id, line.host).note_header(*read_header(said))
    return ()


def _notice(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    notice = said.partition(_NOTICE)[2].strip()
    if QUEUE_ID.fullmatch(notice):
        about.queue.note_notice(notice, line.host)
    return ()


def _removed(line: SyslogLine, queue_id: str, said: str, about: _Log) -> Sequence[MailEvent]:
    # What an operator deletes may be on its way just then.
    if said == "removed" and not line.tag.endswith("postsuper"):
        about.queue.remove(queue_id, line.host)
    return ()


#: What is done with a line, by how it goes on after the queue id.
_LEARN: dict[str, Callable[[SyslogLine, str, str, _Log], Sequence[MailEvent]]] = {
    "to=<": _recipient,
    "from": _sender,
    "uid=": _pickup,
    "clie": _client,
    "mess": _message_id,
    "rese": _message_id,
    "info": _header,
    "warn": _header,
    "send": _notice,
    "post": _notice,
    "remo": _removed,
}


def _delivery(entry: _Entry, fate: Fate) -> Sequence[MailEvent]:
    """What a delivery agent says of a recipient. Probes of an address have another status than all of these."""
    kind = _TYPES.get(fate.status.lower())
    if kind is None:
        return ()
    message = entry.message
    entry.queue.find_command(message)
    # Once for all: rounding must not put outcomes of one message into two minutes.
    if not message.queued_ms and fate.delay_s is not None:
        message.queued_ms = entry.line.time_ms - round(fate.delay_s * 1000)
    recipient = (fate.address, fate.original)
    if kind != "deferred" and message.deferred:
        message.deferred.pop(recipient, None)
    counts = _counts(entry, kind, fate)
    if counts is None:
        message.kept_in = message.kept_in or kind == "deferred"
        return ()
    code, said_status = reply_of(fate.text)
    relay = fate.relay
    reply = Reply(code, fate.dsn or said_status, fate.text, relay.host if relay.ip and "/" not in relay.ip else "")
    if kind == "deferred":
        message.defer(recipient, reply._replace(text=reply.text[:MAX_TEXT]))
    if counts and not (message.of_nobody and not _is_a_customers(entry)):
        return (_event(entry, kind, fate.address, fate.original, reply),)
    return ()


def _counts(entry: _Entry, kind: EventType, fate: Fate) -> bool | None:
    """Whether it is an event. None for what stays on this host: then its expiry is none either."""
    relay, options, message = fate.relay, entry.options, entry.message
    if not relay.ip and relay.host not in ("", "none") and relay.host.lower() not in options.smarthosts:
        # An agent on this host: local, virtual, pipe.
        if fate.text.startswith(_FORWARDED):
            entry.queue.forwarded(message, fate.text.removeprefix(_FORWARDED).partition(" ")[0])
        if kind == "delivered" and (entry.service == "pipe" or fate.text.startswith(_PIPED)):
            entry.queue.note_piped(message)
        # A filter that refuses is heard, a mailbox is not.
        return True if entry.service == "pipe" and kind != "delivered" and _is_a_customers(entry) else None
    if "/" in relay.ip or (entry.service == "lmtp" and relay.ip and not _is_a_customers(entry)):
        return None
    if kind == "delivered":
        if relay.host == "none" or entry.service == "discard":
            return False
        return not (entry.queue.passed_on(message, fate) or is_filter(relay, options.filters, options.smarthosts))
    if kind == "deferred":
        asked = relay if relay.ip else not_reached(fate.text)
        return not is_filter(asked, options.filters, options.smarthosts)
    return True


def _expired(entry: _Entry) -> Sequence[MailEvent]:
    """An event for each recipient that was deferred last; one without recipient where none is known."""
    message = entry.message
    waiting, message.deferred = message.deferred, None
    if (message.of_nobody and not _is_a_customers(entry)) or (message.kept_in and not waiting):
        return ()
    entry.queue.find_command(message)
    found = waiting or {("", ""): _NO_REPLY}
    return [_event(entry, "expired", *recipient, reply) for recipient, reply in found.items()]


def _is_a_customers(entry: _Entry) -> bool:
    """Whether the log says who sent this very mail: by a login, or at a place that is not that of any mail."""
    if entry.message.login:
        return True
    places = entry.options.customer_places if entry.options.customer else ()
    return any(_names_one(place, entry) for place in places if place not in _OF_NO_MAIL)


def _names_one(place: str, entry: _Entry) -> bool:
    try:
        return bool(_find(place, entry))
    except AmbiguousError:
        return False


def _event(entry: _Entry, kind: EventType, address: str, original: str, reply: Reply) -> MailEvent:
    line, message, options = entry.line, entry.message, entry.options
    if options.customer:
        customer = find_customer(options, lambda place: _find(place, entry))
    else:
        customer = message.login or message.domain or options.default_customer
    if not customer:
        places = options.customer_places
        where = f"no value at {in_words(places)}" if places else "no login and no envelope sender is known"
        raise AdaptError(f"message {entry.queue_id}: {where}, and no default customer is configured")
    event = MailEvent(
        id=stable_id(NAME, line.host, entry.queue_id, kind, address, original, line.time_ms),
        type=kind,
        time=line.time_ms,
        customer=customer,
        message_id=message.message_id or entry.queue_id,
        recipient=address,
        from_domain=message.domain,
        sent=message.queued_ms,
        smtp_code=reply.code,
        enhanced_status=reply.status,
        diagnostic=reply.text,
        mx_host=reply.mx_host,
    )
    return fill(event, options, lambda place: _find(place, entry))


def _find(place: str, entry: _Entry) -> str:
    message = entry.message
    places = {"sasl_username": message.login, "instance": entry.instance, "host": entry.line.host}
    if place in places:
        return places[place]
    headers = message.headers or {}
    mail = SentMail([message.sender or ""], header=lambda name: list(filter(None, [headers.get(name.lower(), "")])))
    found = shared_place(place, mail, entry.owners)
    if found is None:
        known = ", ".join(f"`{name}`" for name in places)
        raise AdaptError(f"the option `{place}` is not a place in Postfix lines; use {known}, {SHARED}")
    return found
