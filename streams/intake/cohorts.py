"""Cohorts: on which day the message of a complaint was sent.

A report may say so itself (`MailEvent.sent`). Else the message is looked for among those that were delivered at
providers with a feedback loop: of these, the day and a hash are kept.
"""

from collections.abc import Sequence

from schemas.event import MailEvent
from schemas.times import DAY_MS, epoch_ms
from streams.intake.count import message_hash
from streams.io.store import Store

#: For how many days after it was sent a message's complaint is taken to be about it.
MOST_DAYS = 45
#: 1970-01-01: nobody can say.
UNKNOWN = 0

SENT_DAYS = """
SELECT hash, toUInt16(min(day)) FROM sent_messages
WHERE hash IN {hashes:Array(UInt64)} AND day >= toDate({since:UInt16})
GROUP BY hash
"""


def stated_day(event: MailEvent) -> int:
    """The day (epoch days, UTC) on which the report says the message was sent; `UNKNOWN` where it does not, or
    where that cannot be: later than the report itself, or longer ago than complaints come."""
    if not event.sent:
        return UNKNOWN
    day, reported = epoch_ms(event.sent) // DAY_MS, event.time_ms // DAY_MS
    return day if reported - MOST_DAYS <= day <= reported and day > 0 else UNKNOWN


def sent_days(store: Store, events: Sequence[MailEvent]) -> list[int]:
    """On which day (epoch days, UTC) the message of each complaint was sent; `UNKNOWN` for other events and where
    nobody can say. One query, if any.

    Raises:
        StoreError: the store failed.
    """
    days = [stated_day(event) if event.type == "complained" else UNKNOWN for event in events]
    asked = {
        place: message_hash(event)
        for place, event in enumerate(events)
        if event.type == "complained" and days[place] == UNKNOWN and event.message_id
    }
    if asked:
        since = max(0, min(events[place].time_ms for place in asked) // DAY_MS - MOST_DAYS)
        rows = store.rows(SENT_DAYS, {"hashes": sorted(set(asked.values())), "since": since})
        known = {int(found): int(day) for found, day in rows}
        for place, wanted in asked.items():
            day = known.get(wanted, UNKNOWN)
            days[place] = day if day <= events[place].time_ms // DAY_MS else UNKNOWN
    return days
