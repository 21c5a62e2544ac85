"""Passes of one mail through a queue, and the recipients that each handed on: none of them is counted twice. Pure.

A content filter on another host may take a mail long before it gives it back. Then the log says `sent` of the first
pass while nothing tells it from a delivery by a smarthost, and it counts. When the mail comes back and the same
recipient is handed on again, the second is the same delivery. Of two passes with the same recipient, one of the other:

- the log itself ties the later to the earlier (its queue id, as the filter passed it on or confirmed it);
- or their message id is the same, and the later came from the host that the earlier was given to, from another private
  address than the earlier came from where that host is private too, or from anywhere where that host listens at a port
  that mail servers do not use.

A copy that a list or a smarthost sends back comes from elsewhere, or is for somebody else: it is mail of its own.
"""

import msgspec

from streams.adapt.postfix_relays import is_private

#: Recipients of one mail that are remembered.
MAX_RECIPIENTS = 1_000
#: Ports of mail servers; filters listen at others.
MAIL_PORTS = frozenset({"", "24", "25", "465", "587", "2525"})


class HandedOn(msgspec.Struct, frozen=True, gc=False):
    """That a pass handed a recipient on, or failed to, and it counted: the pass's queue id, where it came from (IP
    address), to whom it was given (IP address and port), whether the log ties it to an earlier pass, and when it was
    queued (epoch ms; 0: not known)."""

    queue_id: str
    client: str
    ip: str
    port: str
    tied: bool = False
    queued_ms: int = 0


#: By recipient, for all passes of a mail together.
Ledger = dict[str, HandedOn]


def is_pass_of(later: HandedOn, earlier: HandedOn) -> bool:
    """Whether what came in with the later one is what the earlier one gave away."""
    if later.queue_id == earlier.queue_id:
        return False
    if later.tied or (later.client and later.client == earlier.ip):
        return True
    if not (later.client and earlier.ip) or later.client == earlier.client:
        return False
    return earlier.port not in MAIL_PORTS or (is_private(later.client) and is_private(earlier.ip))


def first_counted(recipient: str, original: str, now: HandedOn) -> Ledger:
    """What is remembered of a mail once its first recipient (`original` before aliases) counted."""
    return {recipient: now, original: now} if original else {recipient: now}


def counted_before(ledger: Ledger, recipient: str, original: str, now: HandedOn) -> HandedOn | None:
    """What counted of a recipient (`original` before aliases) for another pass of the same mail; None for none. Unless
    that was a later pass, this one is remembered in its place: of an alias with three addresses two more count."""
    found = None
    names = [recipient, original] if original and original != recipient else [recipient]
    for name in names:
        before = ledger.get(name)
        if before is not None and is_pass_of(now, before):
            found = before
            break
        if before is not None and is_pass_of(before, now):
            return before
    for name in names:
        if name in ledger or len(ledger) < MAX_RECIPIENTS:
            ledger[name] = now
    return found
