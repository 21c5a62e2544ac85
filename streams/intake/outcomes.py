"""What comes of mail: events of any type, one by one. Pure.

Deliveries and what else says all in its type are counted at once (streams/intake/count.py); this is for the few others.
"""

from collections.abc import Iterable

import numpy as np

from schemas.counts import MEASURES
from schemas.event import COMPLAINT_FEEDBACK, MailEvent
from streams.bounces.classify import Classified
from streams.intake.count import DIRECT, INDEX, NO_DELIVERY, Counted, Senders, delivery_hash

#: Types of events that may come long after their mail; a bounce does where it is asynchronous.
LATE_TYPES = frozenset({"bounced", "complained", "expired", "unsubscribed"})
_COMPLAINED = INDEX["complained"]
_REPORTED = INDEX["reported"]
#: A complaint without a stated type is one: that is what the provider's webhook means by it.
_COMPLAINTS = COMPLAINT_FEEDBACK | {""}


def counted_one_by_one(senders: Senders, events: Iterable[tuple[MailEvent, int, Classified | None]]) -> Counted:
    """The cells of events of any type, each with its minute: that of `event.sent`, where it is given. What it is
    classified as is given for bounces (`hard`, `soft` or `block`) and for what expired where the last reply was a
    `block`."""
    cells, minutes = [], []
    for e, minute, classified in events:
        key = e.customer, e.stream, e.stream_class, e.sending_ip, e.ip_pool, e.from_domain, e.dkim_domain
        first = senders[key] + senders.providers[e.provider]
        for place in places_of(e, classified):
            cells.append(first + place)
            minutes.append(minute)
    return Counted(np.array(cells, np.int64), np.array(minutes, np.int64))


def places_of(event: MailEvent, classified: Classified | None) -> list[int]:
    """The measures that an event adds to."""
    place = DIRECT.get(event.type) if classified is None else None
    if place is not None:
        places = [place]
        # Another host that had taken the mail gave up: the recipient finished when that took it.
        if event.type == "expired" and event.asynchronous and event.sent:
            places.append(INDEX["late_soft"])
    elif classified is None:
        places = [_COMPLAINED if event.feedback_type in _COMPLAINTS else _REPORTED]
    else:
        places = [INDEX[classified.kind]]
        # Like what expired, a refusal until the end adds nothing where it is not known when the mail was sent.
        if event.asynchronous or (event.type == "expired" and not event.sent):
            places.append(INDEX["late_" + classified.kind])
    if not event.sent and is_late(event) and (undated := INDEX.get(f"undated_{MEASURES[places[0]]}")) is not None:
        places.append(undated)
    return places


def is_late(event: MailEvent) -> bool:
    """Whether an event comes long after its mail: not in the minutes of the delivery."""
    return event.asynchronous if event.type == "bounced" else event.type in LATE_TYPES


def earlier_delivery_of(event: MailEvent) -> int:
    """The delivery that an event may have come after; `NO_DELIVERY` for all but bounces, and what expired, that do not
    say it themselves."""
    return delivery_hash(event) if event.type in ("bounced", "expired") and not event.asynchronous else NO_DELIVERY
