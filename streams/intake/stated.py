"""Which sending times are believed: those that may be true. Pure."""

from schemas.event import MailEvent
from schemas.times import DAY_MS, MINUTE_MS, epoch_ms

#: For how many days after it was sent a message may still be complained about, or unsubscribed from.
ANSWER_DAYS = 45
#: For how many days after it was sent a message may still be delivered or given up. Senders try for five at most as a
#: rule (RFC 5321 section 4.5.4.1), some for a week, and each host that forwards it anew.
TRANSPORT_DAYS = 14
_ALWAYS_MS = min(ANSWER_DAYS, TRANSPORT_DAYS) * DAY_MS
_ANSWERS = frozenset({"complained", "unsubscribed"})


def most_days(event: MailEvent) -> int:
    """For how many days after it was sent a message may have such an outcome."""
    return ANSWER_DAYS if event.type in _ANSWERS else TRANSPORT_DAYS


def stated_ms(event: MailEvent, time_ms: int) -> int:
    """When an event of this time says that its message was sent (both epoch ms, UTC); 0 where it does not, or where
    that cannot be: in a later minute than the event, or longer ago than such events come."""
    if not event.sent:
        return 0
    sent = epoch_ms(event.sent)
    if 0 <= time_ms - sent <= _ALWAYS_MS and sent > 0:  # nearly all, and asked of every event that says it
        return sent
    believed = sent > 0 and sent // MINUTE_MS <= time_ms // MINUTE_MS and time_ms - sent <= most_days(event) * DAY_MS
    return min(sent, time_ms) if believed else 0


def sent_day(event: MailEvent) -> int:
    """The day (epoch days, UTC) of sending; 0 where nobody can say."""
    return epoch_ms(event.sent) // DAY_MS
