"""What the lines of a log have said of the messages in Postfix's queue, and which of them are the same mail.

A mail that passes a content filter is queued again, under another id. The log ties the two together:

- `orig_queue_id=` where the filter passes on what Postfix told it (XFORWARD);
- the filter's reply, `queued as ID`, where it passes on that of Postfix; `forwarded as ID` of an alias;
- `orig_id=` of a message that was queued again (`postsuper -r`);
- the same message id, where it came back from this host, from a private address, or from whom it was given to;
- the same sender, of a filter behind pipe(8) that gives it back, where the log has no message ids.

What is tied only once an earlier pass has counted is in `streams.adapt.passes`.
"""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.domains import folded
from schemas.event import MailEvent
from streams.adapt.bounded import keep
from streams.adapt.long_lines import LongLines
from streams.adapt.passes import MAIL_PORTS, HandedOn, Ledger, counted_before, first_counted, is_pass_of
from streams.adapt.postfix_lines import QUEUE_ID, EnvelopeSender, Fate, Relay, SubmittingClient
from streams.adapt.postfix_relays import is_private

#: How many messages and recipients of one are remembered: those that came last.
MAX_MESSAGES = 100_000
MAX_DEFERRED = 1_000
#: Messages that have left the queue, and those given to pipe(8).
MAX_GONE = 10_000
#: Relays that are remembered as filters.
MAX_FILTERS = 1_000
#: Later passes of one mail that are looked at.
MAX_AGAIN = 100
#: Characters of the last reply that are kept for each recipient.
MAX_TEXT = 1_000
#: Who sends Postfix's own notices and probes (postconf(5), `double_bounce_sender`), before the `@`.
_OWN_SENDER = "double-bounce@"


# Structures of msgspec, here and in `streams.adapt.passes` and `postfix_lines`: one is made in a fourth of the time
# that a named tuple takes, and the collector need not look through thousands of them.


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Why a recipient was deferred: codes, text, and the host that said so."""

    code: int
    status: str
    text: str
    mx_host: str

    def put_into(self, event: MailEvent) -> None:
        """An event without words of a host gets these."""
        event.smtp_code, event.enhanced_status = self.code, self.status
        event.diagnostic, event.mx_host = self.text, self.mx_host


class QueuedMessage:
    """What the lines of one queue id have said so far.

    `sender` is None until it is known. `nobody` says that no sender wants to hear of it (RFC 5321 section 4.5.5), or
    that it is Postfix's own. `queued_ms` is when it came in (epoch ms), `deferred` whom it could not be delivered to
    yet, by address and the address before aliases. `kept_in` was deferred for recipients on this host. `again` are
    later passes of the same mail, `ledger` is what counted of all of them. `given_to` is the address of the host that
    took it last.
    """

    # Defaults stand in the class: most messages need few of them.
    sender: str | None = None
    domain: str = ""
    login: str = ""
    client: str = ""
    message_id: str = ""
    queued_ms: int = 0
    nobody: bool = False
    picked_up: bool = False
    came_back: bool = False
    kept_in: bool = False
    given_to: str = ""
    headers: dict[str, str] | None = None
    deferred: dict[tuple[str, str], Reply] | None = None
    again: list["QueuedMessage"] | None = None
    ledger: Ledger | None = None

    def __init__(self, host: str) -> None:
        self.host = host

    def inherit(self, earlier: "QueuedMessage") -> None:
        """Take what was said of an earlier pass and not of this one."""
        if earlier is not self:
            self.login = self.login or earlier.login
            self.nobody = self.nobody or earlier.nobody
            if earlier.headers:
                self.headers = {**earlier.headers, **(self.headers or {})}

    def note_again(self, later: "QueuedMessage") -> None:
        """Keep a later pass of the same mail."""
        self.again = self.again or []
        if later is not self and later not in self.again and len(self.again) < MAX_AGAIN:
            self.again.append(later)
            self.ledger = self.ledger if self.ledger is not None else {}
            later.ledger = self.ledger

    def note_header(self, name: str, value: str) -> None:
        """A header field. Of two different values one was put there by somebody else: then neither counts."""
        self.headers = self.headers or {}
        if self.headers.setdefault(name, value) != value:
            self.headers[name] = ""

    def defer(self, recipient: tuple[str, str], reply: Reply) -> None:
        """Keep why a recipient was deferred. What no server said does not hide what one did."""
        self.deferred = self.deferred or {}
        known = self.deferred.get(recipient)
        if known is not None and known.code and not reply.code:
            return
        if known is not None or len(self.deferred) < MAX_DEFERRED:
            self.deferred[recipient] = reply


class Queue:
    """The messages of one log."""

    def __init__(self) -> None:
        """Begin without memory."""
        #: By queue id; short ones that two hosts have, also by id and host.
        self.messages: dict[str, QueuedMessage] = {}
        self._gone: dict[str, QueuedMessage] = {}
        self._by_message_id: dict[str, QueuedMessage] = {}
        self._piped: dict[str, QueuedMessage] = {}
        #: Pieces of lines that are not complete.
        self.pieces = LongLines()
        #: Filters by what they gave back: address and port.
        self._filters: dict[str, bool] = {}
        #: Hosts from which mail came back.
        self._givers: dict[str, bool] = {}
        #: By queue ids that a relay confirmed and no line has told of.
        self._confirmed: dict[str, QueuedMessage] = {}

    def message(self, queue_id: str, host: str) -> QueuedMessage:
        """The message with an id on a host; a new one where none was."""
        found = self.messages.get(queue_id)
        if found is None:
            return self._new(queue_id, host)
        if found.host != host:
            # Short ids repeat from host to host.
            queue_id = f"{queue_id} {host}"
            return self.messages.get(queue_id) or self._new(queue_id, host)
        return found

    def begin(self, queue_id: str, found: QueuedMessage) -> QueuedMessage:
        """The message that comes in with an id: not one that had it before, and whose end was not in the log."""
        if found.sender is None:
            return found
        self.remove(queue_id, found)
        return self.message(queue_id, found.host)

    def sent_by(self, queue_id: str, found: QueuedMessage, sender: str) -> QueuedMessage:
        """The message with this envelope sender, as the queue manager writes it: each time the same. What was picked up
        has another one before it is rewritten."""
        same = found.sender is None or found.sender == sender or found.picked_up
        return found if same else self.begin(queue_id, found)

    def named(self, queue_id: str, found: QueuedMessage, message_id: str) -> QueuedMessage:
        """The message with this Message-ID, which is told before it is queued."""
        same = found.sender is None or found.picked_up or found.message_id in ("", message_id)
        return found if same else self.begin(queue_id, found)

    def remove(self, queue_id: str, message: QueuedMessage) -> None:
        """A message has left the queue: its id may be given again."""
        if self.messages.get(queue_id) is not message:
            queue_id = f"{queue_id} {message.host}"
        if self.messages.pop(queue_id, None) is not None:
            keep(self._gone, queue_id, message, MAX_GONE)

    def note_client(self, message: QueuedMessage, client: SubmittingClient) -> None:
        """Who sent it by SMTP."""
        message.client = client.ip
        message.login = client.login or message.login
        if client.origin and (earlier := self._known(client.origin)):
            message.came_back = True
            message.inherit(earlier)
            earlier.note_again(message)

    def note_sender(self, message: QueuedMessage, sender: EnvelopeSender) -> None:
        """Its envelope sender."""
        address = message.sender = sender.address
        domain = address.rpartition("@")[2].lower().rstrip(".") if "@" in address else ""
        message.domain = domain if domain.isascii() else folded(domain)
        if not address or address.startswith(_OWN_SENDER):
            message.nobody = True
        if sender.origin and (earlier := self._known(sender.origin)):
            message.inherit(earlier)

    def note_message_id(self, message: QueuedMessage, message_id: str) -> None:
        """Its message id."""
        message.message_id = message_id
        if not message_id:
            return
        earlier = self._by_message_id.get(message_id)
        if earlier is None or message.login:
            keep(self._by_message_id, message_id, message, MAX_MESSAGES)
        elif earlier is not message:
            earlier.note_again(message)
            client = message.client
            if (
                message.picked_up
                or is_private(client)
                or client in self._givers
                or (client and client == earlier.given_to)
            ):
                message.inherit(earlier)

    def note_notice(self, queue_id: str, host: str) -> None:
        """The id is one of a notification."""
        self.message(queue_id, host).nobody = True

    def note_piped(self, message: QueuedMessage) -> None:
        """It was given to a command."""
        if message.sender:
            keep(self._piped, message.sender, message, MAX_GONE)

    def note_logins(self, queue_ids: Iterable[str], login: str) -> None:
        """Who logged in before the filter that queued these."""
        for queue_id in queue_ids:
            if (found := self._known(queue_id)) is not None:
                found.login = found.login or login

    def find_command(self, message: QueuedMessage) -> None:
        """Ask where it came from that a command may have sent."""
        if message.sender and not message.message_id and (message.picked_up or is_private(message.client)):
            earlier = self._piped.get(message.sender)
            if earlier is not None:
                message.inherit(earlier)

    def passed_on(self, message: QueuedMessage, fate: Fate, confirmed: Sequence[str]) -> bool:
        """Whether what was sent is still under way here, under another id. `confirmed` are the queue ids that whoever
        took it says it gave."""
        if not confirmed and message.again is None:
            return False
        found = self._find_later(message, fate, confirmed)
        if found:
            self._learn_filter(fate.ip, fate.port)
        return found

    def counted_before(
        self,
        queue_id: str,
        message: QueuedMessage,
        recipient: tuple[str, str],
        relay: Relay | Fate,
        confirmed: Sequence[str],
    ) -> HandedOn | None:
        """What counted of a recipient (address, and that before aliases) for another pass of the same mail; None for
        none. What became of it now, at a relay that `confirmed` queue ids, is remembered for passes that come later."""
        if confirmed and relay.ip:
            for each in confirmed:
                if self._known(each) is None:
                    keep(self._confirmed, each, message, MAX_GONE)
        elif message.ledger is None and not message.message_id:
            return None
        now = HandedOn(queue_id, message.client, relay.ip, relay.port, message.came_back, message.queued_ms)
        if message.ledger is None:
            # The first pass, as nearly all are.
            message.ledger = first_counted(*recipient, now)
            return None
        found = counted_before(message.ledger, *recipient, now)
        if found is not None and is_pass_of(now, found):
            self._learn_filter(found.ip, found.port)
            keep(self._givers, message.client, True, MAX_FILTERS)
            earlier = self._known(found.queue_id) or self._by_message_id.get(message.message_id)
            if earlier is not None:
                message.inherit(earlier)
        return found

    def _learn_filter(self, ip: str, port: str) -> None:
        if ip and port not in MAIL_PORTS:
            keep(self._filters, f"{ip}:{port}", True, MAX_FILTERS)

    def gave_back(self, relay: Relay | Fate) -> bool:
        """Whether mail came back from a relay before, as from a filter; it may keep some, and be out of order."""
        return bool(self._filters) and f"{relay.ip}:{relay.port}" in self._filters

    def _find_later(self, message: QueuedMessage, fate: Fate, confirmed: Sequence[str]) -> bool:
        for queue_id in confirmed:
            later = self._known(queue_id)
            if later is not None and later is not message:
                later.inherit(message)
                return True
        for later in message.again or ():
            if later.client and (later.client == fate.ip or (later.came_back and _is_inside(later, fate))):
                later.inherit(message)
                return True
        return False

    def forwarded(self, message: QueuedMessage, queue_id: str) -> None:
        """An alias sends it on under another id."""
        later = self._known(queue_id)
        if later is None and QUEUE_ID.fullmatch(queue_id):
            later = self.message(queue_id, message.host)
        if later is not None:
            later.inherit(message)

    def _known(self, queue_id: str) -> QueuedMessage | None:
        return self.messages.get(queue_id) or self._gone.get(queue_id)

    def _new(self, queue_id: str, host: str) -> QueuedMessage:
        message = QueuedMessage(host)
        keep(self.messages, queue_id, message, MAX_MESSAGES)
        if self._confirmed and (earlier := self._confirmed.pop(queue_id.partition(" ")[0], None)) is not None:
            message.came_back = True
            message.inherit(earlier)
            earlier.note_again(message)
        return message


def _is_inside(later: QueuedMessage, fate: Fate) -> bool:
    """Whether it went to a filter that sends from another address than it listens at."""
    return (is_private(later.client) and is_private(fate.ip)) or fate.port not in MAIL_PORTS
