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

import re
from collections.abc import Callable, Sequence

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from streams.adapt.base import AdaptError, Context, fill
from streams.adapt.common import text_id
from streams.adapt.places import SHARED, AmbiguousError, SentMail, find_customer, in_words, shared_place
from streams.adapt.postfix_entry import NAME, PostfixEntry, PostfixLog
from streams.adapt.postfix_lines import (
    QUEUE_ID,
    SAID,
    Fate,
    Relay,
    not_reached,
    proxied_login,
    queued_as,
    read_client,
    read_fate,
    read_header,
    read_message_id,
    read_pickup,
    read_sender,
)
from streams.adapt.postfix_queue import MAX_TEXT, Queue, QueuedMessage, Reply
from streams.adapt.postfix_relays import is_filter
from streams.adapt.replies import reply_of
from streams.adapt.syslog import USUAL, holds_program, may_hold_another, read_line

_TYPES: dict[str, EventType] = {
    "sent": "delivered",
    "deferred": "deferred",
    "bounced": "bounced",
    "softbounce": "deferred",
    "expired": "expired",
    "force-expired": "expired",
}
_LINE = re.compile(rf"{USUAL}(?:{SAID})?", re.ASCII)
_SAID = re.compile(SAID, re.DOTALL)
#: With these begin most lines that say nothing.
_NO_OPENING = frozenset("abcdefghijklmnoqrstuvwxyz")
_PROXY = ("proxy-accept: ", "NOQUEUE: proxy-accept: ")
_NOTICE = "notification: "
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
        self._log: PostfixLog | None = None
        self._may_have_nul = False

    @property
    def memory(self) -> Queue:
        """What the lines said so far of messages."""
        return self._queue

    @memory.setter
    def memory(self, memory: Queue) -> None:
        self._queue, self._log = memory, None

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        log = self._log
        if log is None or log.context is not context:
            log = self._log = PostfixLog(self._queue, context)
        # What was remembered may have one too; in journald's JSON it is escaped, or a number in a list.
        text = raw.decode("utf-8", "replace")
        # A character is found in a text six times as fast as in bytes.
        may_have_nul = self._may_have_nul = self._may_have_nul or "\0" in text or ("{" in text and '{"' in text)
        if "\n" not in text and text and not text.isspace():
            events = _read_line(text.rstrip("\r"), log)
            return log.completed(events, may_have_nul) if events else []
        return _read_lines(text, log, may_have_nul=may_have_nul)


def _read_lines(text: str, log: PostfixLog, *, may_have_nul: bool) -> list[MailEvent]:
    if not text.strip():
        raise AdaptError("the message is empty")
    all_events: list[MailEvent] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line and not line.isspace():
            try:
                if events := _read_line(line.rstrip("\r"), log):
                    all_events += log.completed(events, may_have_nul)
            except AdaptError as error:
                raise AdaptError(f"line {number}: {error}") from error
    return all_events


def _read_line(text: str, log: PostfixLog) -> Sequence[MailEvent]:
    found = _LINE.match(text)
    if found is not None:
        written, host, tag, queue_id, word, said = found.groups()
        if queue_id is not None:
            message = log.queue.messages.get(queue_id)
            if message is None or message.host != host:
                if not QUEUE_ID.fullmatch(queue_id):
                    return ()
                message = log.queue.message(queue_id, host)
            return _KINDS[word](PostfixEntry(log, message, tag, queue_id, written), said)
        rest = text[found.end() :]
        # It says nothing, is no line within a line (with a time or without), and no `proxy-accept`.
        usual = rest[:1] in _NO_OPENING and "/" in tag
        if usual or not (may_hold_another(rest) or rest.startswith(_PROXY) or holds_program(rest)):
            return ()
    whole = log.queue.pieces.whole(text)
    if whole is None:
        return ()
    line = read_line(whole, log.options.time_zone, log.context.now_ms())
    if found := _SAID.fullmatch(line.text):
        queue_id, word, said = found.groups()
        if QUEUE_ID.fullmatch(queue_id):
            message = log.queue.message(queue_id, line.host)
            return _KINDS[word](PostfixEntry(log, message, line.tag, queue_id, time_ms=line.time_ms), said)
    elif line.text.startswith(_PROXY):
        log.queue.note_logins(*proxied_login(line.text))
    return ()


def _recipient(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    """What a delivery agent says of a recipient. Probes of an address have another status than all of these."""
    tag = entry.tag
    # Some put the service into the tag, some not; what other programs write of a recipient has no `relay=`.
    if "/" not in tag and not tag.startswith(NAME) and ", relay=" not in said:
        return ()
    fate = read_fate(said)
    kind = _TYPES.get(fate.status) or _TYPES.get(fate.status.lower()) if fate is not None else None
    if fate is None or kind is None:
        return ()
    message, time_ms = entry.message, entry.when()
    if not message.login and not message.message_id:
        entry.log.queue.find_command(message)
    # Once for all: rounding must not put outcomes of one message into two minutes.
    if not message.queued_ms and fate.delay_s:
        message.queued_ms = time_ms - round(float(fate.delay_s) * 1000)
    if message.deferred and kind != "deferred":
        message.deferred.pop((fate.address, fate.original), None)
    confirmed = queued_as(fate.text)
    counts = _counts(entry, message, kind, fate, confirmed)
    if counts is None:
        message.kept_in = message.kept_in or kind == "deferred"
        return ()
    text = fate.text.removesuffix(")")
    code, status = _reply_of(fate, text)
    mx_host = fate.host if fate.ip and "/" not in fate.ip else ""
    if kind == "deferred":
        message.defer((fate.address, fate.original), Reply(code, status, text[:MAX_TEXT], mx_host))
    if not counts or (message.nobody and not _is_a_customers(entry, message)):
        return ()
    reply = Reply(code, status, text, mx_host)
    if kind == "deferred":
        return (_event(entry, message, kind, (fate.address, fate.original), reply),)
    event = _outcome(entry, message, kind, (fate.address, fate.original), reply, fate, confirmed)
    return () if event is None else (event,)


def _outcome(
    entry: PostfixEntry,
    message: QueuedMessage,
    kind: EventType,
    recipient: tuple[str, str],
    reply: Reply,
    relay: Relay | Fate,
    confirmed: Sequence[str] = (),
) -> MailEvent | None:
    """An event that is the end of it. Where an earlier pass was taken for the delivery already, another is none, and a
    failure came after it. `confirmed` are the queue ids that the relay says it gave."""
    before = entry.log.queue.counted_before(entry.queue_id, message, recipient, relay, confirmed)
    if before is not None and kind == "delivered":
        return None
    event = _event(entry, message, kind, recipient, reply)
    if before is not None:
        event.asynchronous, event.sent = True, before.queued_ms or event.sent
    return event


def _reply_of(fate: Fate, text: str) -> tuple[int, str]:
    # What was accepted begins with the reply.
    if text[:4] == "250 " and fate.dsn:
        return 250, fate.dsn
    code, status = reply_of(text)
    return code, fate.dsn or status


def _counts(
    entry: PostfixEntry, message: QueuedMessage, kind: EventType, fate: Fate, confirmed: Sequence[str]
) -> bool | None:
    """Whether it is an event. None for what stays on this host: then its expiry is none either."""
    options, queue, host, ip = entry.log.options, entry.log.queue, fate.host, fate.ip
    if not ip and host not in ("", "none") and host.lower() not in options.smarthosts:
        # An agent on this host: local, virtual, pipe.
        if fate.text.startswith(_FORWARDED):
            queue.forwarded(message, fate.text.removeprefix(_FORWARDED).rstrip(")"))
        if kind == "delivered" and (entry.is_of("pipe") or fate.text.startswith(_PIPED)):
            queue.note_piped(message)
        # A filter that refuses is heard, a mailbox is not.
        return True if entry.is_of("pipe") and kind != "delivered" and _is_a_customers(entry, message) else None
    if "/" in ip or (ip and entry.is_of("lmtp") and not _is_a_customers(entry, message)):
        return None
    if kind == "delivered":
        if host == "none" or entry.is_of("discard"):
            return False
        message.given_to = ip
        return not (queue.passed_on(message, fate, confirmed) or _is_filter(fate, entry))
    if kind == "deferred":
        return not _is_filter(fate if ip else not_reached(fate.text), entry)
    return True


def _is_filter(relay: Fate | Relay, entry: PostfixEntry) -> bool:
    """Whether a relay gives mail back, as the operator says or as it did before."""
    options = entry.log.options
    return is_filter(relay, options.filters, options.smarthosts) or entry.log.queue.gave_back(relay)


def _expired(entry: PostfixEntry, message: QueuedMessage) -> Sequence[MailEvent]:
    """An event for each recipient that was deferred last; one without recipient where none is known."""
    waiting, message.deferred = message.deferred, None
    if (message.nobody and not _is_a_customers(entry, message)) or (message.kept_in and not waiting):
        return ()
    entry.log.queue.find_command(message)
    if not waiting:
        return (_event(entry, message, "expired", ("", ""), _NO_REPLY),)
    events = [_outcome(entry, message, "expired", recipient, reply, Relay()) for recipient, reply in waiting.items()]
    return [each for each in events if each is not None]


def _is_a_customers(entry: PostfixEntry, message: QueuedMessage) -> bool:
    """Whether the log says who sent this very mail: by a login, or at a place that is not that of any mail."""
    if message.login:
        return True
    options = entry.log.options
    places = options.customer_places if options.customer else ()
    return any(_names_one(place, entry) for place in places if place not in _OF_NO_MAIL)


def _names_one(place: str, entry: PostfixEntry) -> bool:
    try:
        return bool(_find(place, entry))
    except AmbiguousError:
        return False


def _event(
    entry: PostfixEntry, message: QueuedMessage, kind: EventType, recipient: tuple[str, str], reply: Reply
) -> MailEvent:
    options, time_ms, (address, original) = entry.log.options, entry.when(), recipient
    if options.customer:
        customer = find_customer(options, lambda place: _find(place, entry))
    else:
        customer = message.login or message.domain or options.default_customer
    if not customer:
        places = options.customer_places
        where = f"no value at {in_words(places)}" if places else "no login and no envelope sender is known"
        raise AdaptError(f"message {entry.queue_id}: {where}, and no default customer is configured")
    event = MailEvent(
        id=text_id(message.host, entry.queue_id, kind, address, original, f"{time_ms}"),
        type=kind,
        time=time_ms,
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
    return event if entry.log.plain else fill(event, options, lambda place: _find(place, entry))


def _find(place: str, entry: PostfixEntry) -> str:
    message = entry.message
    places = {"sasl_username": message.login, "instance": entry.tag.partition("/")[0], "host": message.host}
    if place in places:
        return places[place]
    headers = message.headers or {}
    mail = SentMail([message.sender or ""], header=lambda name: list(filter(None, [headers.get(name.lower(), "")])))
    found = shared_place(place, mail, entry.log.context.owners)
    if found is None:
        known = ", ".join(f"`{name}`" for name in places)
        raise AdaptError(f"the option `{place}` is not a place in Postfix lines; use {known}, {SHARED}")
    return found


def _sender(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    if sender := read_sender(said):
        entry.message = entry.log.queue.sent_by(entry.queue_id, entry.message, sender.address)
        entry.log.queue.note_sender(entry.message, sender)
        if sender.status and _TYPES.get(sender.status) == "expired":
            return _expired(entry, entry.message)
    return ()


def _pickup(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    if sender := read_pickup(said):
        queue = entry.log.queue
        message = queue.begin(entry.queue_id, entry.message)
        message.picked_up = True
        queue.note_sender(message, sender)
    return ()


def _client(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    queue = entry.log.queue
    queue.note_client(queue.begin(entry.queue_id, entry.message), read_client(said))
    return ()


def _message_id(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    queue, message_id = entry.log.queue, read_message_id(said)
    queue.note_message_id(queue.named(entry.queue_id, entry.message, message_id), message_id)
    return ()


def _header(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    entry.message.note_header(*read_header(said))
    return ()


def _notice(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    notice = said.partition(_NOTICE)[2].strip()
    if QUEUE_ID.fullmatch(notice):
        entry.log.queue.note_notice(notice, entry.message.host)
    return ()


def _removed(entry: PostfixEntry, said: str) -> Sequence[MailEvent]:
    # What an operator deletes may be on its way just then.
    if not entry.tag.endswith("postsuper"):
        entry.log.queue.remove(entry.queue_id, entry.message)
    return ()


_KINDS: dict[str, Callable[[PostfixEntry, str], Sequence[MailEvent]]] = {
    "to=<": _recipient,
    "from=<": _sender,
    "uid=": _pickup,
    "client=": _client,
    "message-id=": _message_id,
    "resent-message-id=": _message_id,
    "info: header ": _header,
    "warning: header ": _header,
    "sender ": _notice,
    "postmaster ": _notice,
    "removed": _removed,
}
