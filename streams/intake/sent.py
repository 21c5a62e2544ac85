"""When the message of an event was sent: the minute in which all of its outcomes are counted.

A rate divides outcomes by the mail that they are of. So what comes later than the mail, as complaints, expiries and
late bounces do, counts where the mail counts. A report may say when that was (`MailEvent.sent`); else the message is
looked for among the deliveries that are remembered: of each the minute and a hash (streams/intake/count.py). What
neither tells is undated, and is counted when it comes.

Of formats that do not say whether a bounce came after the delivery, a bounce whose delivery is found is a late one, and
so is what expired: the recipient must count once, as failed.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from schemas.event import MailEvent
from schemas.times import DAY_MS, MINUTE_MS
from streams.intake.batch import Batch, NegativeEvent
from streams.intake.count import NO_DELIVERY, DeliveredMessages, delivery_hash, message_hash
from streams.intake.outcomes import LATE_TYPES, is_late
from streams.intake.stated import most_days
from streams.io.store import NumberParameter, Store

#: For how many days after a delivery a bounce is looked for. Hosts that forward mail give up after five (RFC 5321
#: section 4.5.4.1).
BOUNCE_DAYS = 7
_DAY = DAY_MS // MINUTE_MS

#: Of several deliveries of one message the first counts.
FIRST_DELIVERIES = """
SELECT hash, min(toUInt64(toUInt16(day)) * 65536 + minute) FROM sent_messages
WHERE hash IN {hashes:Array(UInt64)} AND day >= toDate({since:UInt16})
GROUP BY hash
"""


def find_sent(store: Store, batches: Sequence[Batch], negatives: Sequence[Sequence[NegativeEvent]]) -> None:
    """Mark bounces whose delivery is known, and set `sent` of what came late where that can be found. One query, if
    any. Doing it again changes nothing.

    Raises:
        StoreError: the store failed.
    """
    asked = [(each, hashes) for some in negatives for each in some if (hashes := _asked(each))]
    if not asked:
        return
    wanted = sorted({one for _, hashes in asked for one in hashes})
    since = min(each.time_ms // DAY_MS - _reach(each.event) for each, _ in asked)
    known = _stored(store, wanted, max(0, since))
    _add_unstored(known, wanted, (batch.delivered for batch in batches))
    for each, hashes in asked:
        _apply(each, known, hashes)


def _asked(each: NegativeEvent) -> list[int]:
    """The hashes of deliveries that an event may be of, the likeliest first."""
    event = each.event
    found = [each.delivery] if each.delivery != NO_DELIVERY else []
    if event.type in LATE_TYPES and is_late(event) and not event.sent and event.message_id:
        found += [one for one in (delivery_hash(event), message_hash(event)) if one != NO_DELIVERY]
    return found


def _reach(event: MailEvent) -> int:
    """Days back."""
    return BOUNCE_DAYS if event.type == "bounced" else most_days(event)


def _apply(each: NegativeEvent, known: dict[int, int], hashes: Sequence[int]) -> None:
    event, minute = each.event, each.time_ms // MINUTE_MS
    day = minute // _DAY
    found = next((known[one] for one in hashes if one in known), None)
    in_time = found is not None and day - _reach(event) <= found // _DAY <= day
    if each.delivery != NO_DELIVERY:
        # A clock may be ahead by more than a day's end: the delivery took place all the same.
        delivered = known.get(each.delivery)
        event.asynchronous = delivered is not None and day - BOUNCE_DAYS <= delivered // _DAY
    if found is not None and in_time and not event.sent:
        event.sent = min(found, minute) * MINUTE_MS


def _stored(store: Store, wanted: Sequence[int], since: int) -> dict[int, int]:
    """By hash the minute (epoch minutes, UTC) of the first delivery."""
    found = {}
    for each, coded in store.rows(FIRST_DELIVERIES, {"hashes": NumberParameter(wanted), "since": since}):
        day, minute = divmod(int(coded), 65536)
        found[int(each)] = day * _DAY + minute
    return found


def _add_unstored(known: dict[int, int], wanted: Sequence[int], parts: Iterable[DeliveredMessages]) -> None:
    """Those that are about to be stored too."""
    among = np.array(wanted, np.uint64)
    for each in parts:
        hashes = np.frombuffer(each.hashes, np.uint64)
        places = np.flatnonzero(np.isin(hashes, among))
        times = np.frombuffer(each.times, np.int64)[places]
        for one, time in zip(hashes[places].tolist(), times.tolist(), strict=True):
            minute = time // MINUTE_MS
            known[one] = min(known.get(one, minute), minute)
