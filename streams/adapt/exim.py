"""Lines of Exim's main log, one or many a message.

Format: https://www.exim.org/exim-html-current/doc/html/spec_html/ch-log_files.html ; the forms of a line are in
`streams.adapt.exim_lines`. Read are deliveries (`=>`, `->`, `>>`), failures (`**`) and deferrals (`==`), by what the
arrival (`<=`) with the same message id says of who sent it. All other lines give no event, nor do deferrals without an
attempt ("retry time not reached"). What was given up after retries is `expired`, with the last reply that was logged
for its recipient.

The options `customer`, `stream`, `sub_account` and `pool` name a place:

- `authenticated_id`: who logged in to send (`A=`).
- `user`: the local user that sent (`U=` of `P=local`).
- `host`: the host that wrote the line, where it came through a system log.
- a place of `streams.adapt.places`: `sender`, `verp:PATTERN` and `domain` by the envelope sender, `ip` by the interface
  (log selector `outgoing_interface`), `header.NAME`, `feedback-id.N` and `dkim` by what an ACL logs of the message.

By default the customer is `authenticated_id`, else `sender`. The option `time_zone` is that of times without an offset.

No event is what is no mail of a customer: notifications and whatever else has no sender, unless its sender logged in;
what stays on this host (files, commands, mailboxes); what came from outside for a host inside; and what is given to a
content filter: its later pass counts. The options `filters` and `smarthosts` name relays that are the one or the other;
without them those at 127.0.0.1 are filters.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.event import MAX_EVENT_BYTES, EventType, MailEvent
from schemas.times import SECOND_MS
from streams.adapt.base import AdaptError, Context, FormatOptions, fill
from streams.adapt.bounded import keep
from streams.adapt.canonical import complete, domain_of
from streams.adapt.common import stable_id
from streams.adapt.exim_entry import EximLine, key_of, read_entry
from streams.adapt.exim_lines import Arrival, Attempt, passed_as, read_arrival, read_attempt, read_header
from streams.adapt.exim_message import EximMessage, Memory
from streams.adapt.gave_up import gave_up
from streams.adapt.owners import Owners
from streams.adapt.passes import HandedOn, counted_before
from streams.adapt.places import SHARED, SentMail, find_customer, in_words, shared_place
from streams.adapt.postfix_queue import MAX_MESSAGES, MAX_TEXT, Reply
from streams.adapt.postfix_relays import is_filter, is_private
from streams.adapt.replies import reply_of

NAME = "exim"
#: Recipients whose last reply is remembered.
MAX_REPLIES = 50_000
#: Deliveries of a message that wait for what says who sent it.
MAX_HELD = 1_000
#: Transports that are remembered.
MAX_TRANSPORTS = 1_000

_DELIVERIES = frozenset({"=>", "->", ">>"})
#: Who sent it, and that it is done.
_RELEASE = frozenset({"<=", "Completed"})
_NO_REPLY = Reply(0, "", "", "")
#: Names of transports that deliver on this host, for failures before any delivery has told.
_LOCAL = re.compile(
    r"local|pipe|file|reply|maildir|mbox|mailbox|dovecot|cyrus|virtual|procmail|spam|vacation|mailman", re.I
)


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event for each line that tells a recipient's fate.

    Raises:
        AdaptError: a line of no log of Exim, a time that cannot be read, or no customer can be found; names the line.
    """
    log = MainLog()
    return [*log.adapt(raw, context), *log.left(context)]


class _Log(NamedTuple):
    """What is known besides a line."""

    options: FormatOptions
    owners: Owners


class MainLog:
    """Lines of one log in their order: what earlier ones say of a message is remembered for later ones."""

    def __init__(self) -> None:
        """Begin without memory."""
        self.memory = Memory()

    def adapt(self, raw: bytes, context: Context) -> list[MailEvent]:
        """As `adapt`, with what was remembered."""
        if len(raw) > MAX_EVENT_BYTES:
            raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
        lines = raw.decode("utf-8", "replace").split("\n")
        about, now_ms = _Log(context.options(NAME), context.owners), context.now_ms()
        # What an earlier line said of a message is part of the events of later ones.
        self.memory.may_have_nul = self.memory.may_have_nul or b"\0" in raw or b'{"' in raw
        events: list[MailEvent] = []
        for number, line in enumerate(lines, start=1):
            if not line or line.isspace():
                continue
            try:
                whole = self.memory.pieces.whole(line.rstrip("\r"))
                read = read_entry(whole, about.options, now_ms) if whole is not None else None
                if read is not None and (found := self._events_of(read, about)):
                    events += [complete(each, context, may_have_nul=self.memory.may_have_nul) for each in found]
            except AdaptError as error:
                if len(lines) == 1:
                    raise
                raise AdaptError(f"line {number}: {error}") from error
        if not events and not raw.strip():
            raise AdaptError("the message is empty")
        return events

    def left(self, context: Context) -> list[MailEvent]:
        """What waits for a line that does not come, as of a message with no other lines.

        Raises:
            AdaptError: no customer can be found.
        """
        about = _Log(context.options(NAME), context.owners)
        waiting = [line for message in self.memory.messages.values() for line in message.held or ()]
        found = filter(None, (self._event_of(line, about) for line in waiting))
        return [complete(each, context, may_have_nul=self.memory.may_have_nul) for each in found]

    def _events_of(self, line: EximLine, about: _Log) -> Sequence[MailEvent]:
        """What a line tells, and what waited for it: what was handed on while it came in (`cutthrough_delivery`) is
        logged before the line that says who sent it."""
        if line.flag == ">>" and self._waits(line):
            return ()
        event = self._event_of(line, about)
        events = () if event is None else (event,)
        if line.flag not in _RELEASE:
            return events
        message = self._message(line)
        held, message.held = message.held or (), None
        return [*events, *filter(None, (self._event_of(each, about) for each in held))]

    def _waits(self, line: EximLine) -> bool:
        message = self._message(line)
        if message.sender is not None:
            return False
        message.held = message.held or []
        if len(message.held) < MAX_HELD:
            message.held.append(line)
        return True

    def _event_of(self, line: EximLine, about: _Log) -> MailEvent | None:
        if line.flag in ("<=", "(="):
            self._arrived(line)
        elif line.flag in _DELIVERIES:
            return self._delivered(line, about)
        elif line.flag == "==":
            return self._deferred(line, about)
        elif line.flag == "**":
            return self._failed(line, about)
        elif (header := read_header(line.flag, line.said)) is not None:
            self._message(line).note_header(*header)
        return None

    def _message(self, line: EximLine) -> EximMessage:
        found = self.memory.messages.get(key_of(line))
        if found is None:
            found = EximMessage()
            keep(self.memory.messages, key_of(line), found, MAX_MESSAGES)
        return found

    def _arrived(self, line: EximLine) -> None:
        arrival = read_arrival(line.said)
        if arrival is None:
            return
        message = self._message(line)
        message.sender, message.client, message.message_id = arrival.sender, arrival.ip, arrival.message_id
        message.login = arrival.login or message.login
        message.local = not arrival.ip
        message.user = message.user or (arrival.user if message.local else "")
        message.arrived_ms = line.time_ms
        self._find_earlier(message, arrival)

    def _find_earlier(self, message: EximMessage, arrival: Arrival) -> None:
        """Whether it is a later pass of a message that is known."""
        if not arrival.message_id:
            return
        earlier = self.memory.by_message_id.get(arrival.message_id)
        if earlier is None or message.login:
            keep(self.memory.by_message_id, arrival.message_id, message, MAX_MESSAGES)
        elif earlier is not message:
            earlier.note_again(message)
            if message.local or is_private(message.client) or message.client == earlier.given_to:
                message.inherit(earlier)

    def _delivered(self, line: EximLine, about: _Log) -> MailEvent | None:
        attempt = read_attempt(line.said)
        if attempt is None:
            return None
        message = self._told(line, attempt)
        if message.waiting:
            message.waiting.pop((attempt.address, attempt.original), None)
        self._learn(attempt, remote=bool(attempt.relay.ip))
        if not attempt.relay.ip or not _is_a_customers(message, attempt):
            return None
        message.given_to = attempt.relay.ip
        if self._passed_on(line, message, attempt) or is_filter(
            attempt.relay, about.options.filters, about.options.smarthosts
        ):
            return None
        if self._counted_before(line, message, attempt) is not None:
            return None
        return _event(line, message, attempt, "delivered", _reply(attempt), about)

    def _deferred(self, line: EximLine, about: _Log) -> MailEvent | None:
        attempt = read_attempt(line.said, deferred=True)
        if attempt is None:
            return None
        message = self._told(line, attempt)
        if not attempt.tried or self._stays_here(attempt) or not _is_a_customers(message, attempt):
            return None
        if attempt.relay.ip and is_filter(attempt.relay, about.options.filters, about.options.smarthosts):
            return None
        reply = _reply(attempt)
        self._remember(message, attempt, replace(reply, text=reply.text[:MAX_TEXT]))
        return _event(line, message, attempt, "deferred", reply, about)

    def _failed(self, line: EximLine, about: _Log) -> MailEvent | None:
        attempt = read_attempt(line.said)
        if attempt is None:
            return None
        message = self._told(line, attempt)
        waited = (message.waiting or {}).pop((attempt.address, attempt.original), None)
        if self._stays_here(attempt) or not _is_a_customers(message, attempt):
            return None
        reply = _reply(attempt)
        if attempt.cancelled:
            return _event(line, message, attempt, "suppressed", reply, about)
        if (attempt.gave_up and reply.code < 500) or (reply.code and gave_up(reply.code, reply.status, "")):
            if not reply.code:
                last = waited or self.memory.replies.get(attempt.address, _NO_REPLY)
                reply = last if last.text else reply
            return self._failure(line, message, attempt, "expired", reply, about)
        return self._failure(line, message, attempt, "bounced", reply, about)

    def _failure(
        self, line: EximLine, message: EximMessage, attempt: Attempt, kind: EventType, reply: Reply, about: _Log
    ) -> MailEvent:
        """One that came after a delivery where an earlier pass was taken for that."""
        before = self._counted_before(line, message, attempt)
        event = _event(line, message, attempt, kind, reply, about)
        if before is not None:
            event.asynchronous, event.sent = True, before.queued_ms or event.sent
        return event

    def _counted_before(self, line: EximLine, message: EximMessage, attempt: Attempt) -> HandedOn | None:
        """What counted of the recipient for another pass of the same mail; None for none."""
        if message.ledger is None:
            if not message.message_id:
                return None
            message.ledger = {}
        relay = attempt.relay
        now = HandedOn(key_of(line), message.client, relay.ip, relay.port, queued_ms=message.arrived_ms)
        found = counted_before(message.ledger, attempt.address, attempt.original, now)
        if found is not None and (earlier := self.memory.messages.get(found.queue_id)) is not None:
            message.inherit(earlier)
        return found

    def _told(self, line: EximLine, attempt: Attempt) -> EximMessage:
        """The message, with what this line says of it."""
        message = self._message(line)
        if message.sender is None and attempt.sender is not None:
            message.sender = attempt.sender
        # Once for all: rounding must not put outcomes of one message into two minutes.
        if not message.arrived_ms and attempt.queued_s is not None:
            message.arrived_ms = line.time_ms - round(attempt.queued_s * SECOND_MS)
        return message

    def _learn(self, attempt: Attempt, *, remote: bool) -> None:
        if attempt.transport and (
            attempt.transport in self.memory.transports or len(self.memory.transports) < MAX_TRANSPORTS
        ):
            self.memory.transports[attempt.transport] = remote

    def _stays_here(self, attempt: Attempt) -> bool:
        """Whether a failure is one of a delivery on this host. Only successes tell which transports those are."""
        if attempt.relay.ip:
            self._learn(attempt, remote=True)
            return False
        if "@" not in attempt.address or attempt.address[0] in "|/>:":
            return True
        remote = self.memory.transports.get(attempt.transport)
        return not remote if remote is not None else _LOCAL.search(attempt.transport) is not None

    def _remember(self, message: EximMessage, attempt: Attempt, reply: Reply) -> None:
        recipient = (attempt.address, attempt.original)
        message.waiting = message.waiting if message.waiting is not None else {}
        known = message.waiting.get(recipient)
        # What no server said does not hide what one did.
        if known is None or reply.code or not known.code:
            message.waiting[recipient] = reply
        if reply.code:
            keep(self.memory.replies, attempt.address, reply, MAX_REPLIES)

    def _passed_on(self, line: EximLine, message: EximMessage, attempt: Attempt) -> bool:
        """Whether what was given to a host is under way here again: under the id that it confirmed, or in a later pass
        that came from there."""
        later_id = passed_as(attempt.text)
        later = self.memory.messages.get(key_of(line._replace(id=later_id))) if later_id else None
        if later is None:
            later = next((each for each in message.again or () if each.client == attempt.relay.ip), None)
        if later is None or later is message:
            return False
        later.inherit(message)
        return True


def _reply(attempt: Attempt) -> Reply:
    code, status = reply_of(attempt.text)
    return Reply(code, status, attempt.text, attempt.relay.host)


def _is_a_customers(message: EximMessage, attempt: Attempt) -> bool:
    """Whether it is mail of a customer: it has a sender or a login, and did not come from outside to stay inside."""
    if message.login:
        return True
    if message.sender == "":
        return False
    incoming = bool(message.client) and not is_private(message.client)
    return not (incoming and is_private(attempt.relay.ip))


def _event(
    line: EximLine, message: EximMessage, attempt: Attempt, kind: EventType, reply: Reply, about: _Log
) -> MailEvent:
    options = about.options

    def find(place: str) -> str:
        own = {"authenticated_id": message.login, "user": message.user, "host": line.host}
        if place in own:
            return own[place]
        mail = SentMail([message.sender or ""], message.header, attempt.interface)
        found = shared_place(place, mail, about.owners)
        if found is None:
            known = ", ".join(f"`{name}`" for name in own)
            raise AdaptError(f"the option `{place}` is not a place in Exim's lines; use {known}, {SHARED}")
        return found

    domain = domain_of(message.sender or "")
    found = find_customer(options, find) if options.customer else message.login or domain
    customer = found or options.default_customer
    if not customer:
        places = options.customer_places
        where = f"no value at {in_words(places)}" if places else "no login and no envelope sender is known"
        raise AdaptError(f"message {line.id}: {where}, and no default customer is configured")
    interface = attempt.interface if attempt.interface and not is_private(attempt.interface) else ""
    event = MailEvent(
        id=stable_id(NAME, line.host, line.id, kind, attempt.address, attempt.original, line.time_ms),
        type=kind,
        time=line.time_ms,
        customer=customer,
        message_id=message.message_id or line.id,
        recipient=attempt.address,
        from_domain=domain,
        sending_ip=interface,
        sent=message.arrived_ms,
        smtp_code=reply.code,
        enhanced_status=reply.status,
        diagnostic=reply.text,
        mx_host=reply.mx_host,
    )
    return fill(event, options, find)
