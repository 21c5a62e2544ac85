"""Mail to people who had unsubscribed or complained, from raw events to the table of it."""

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from api.stack.adapting import adapt_context
from schemas.event import MailEvent
from schemas.settings import Settings
from schemas.times import DAY_MS, utc_now_ms
from streams.adapt import adapter
from streams.bounces.classify import Classified
from streams.intake.batch import Batch, MailReader, SourcePartition
from streams.intake.bounds import TimeBounds
from streams.intake.flush import flush
from streams.intake.refusals import Refused
from streams.intake.seen import SeenIds
from streams.intake.stored_refusals import refresh
from streams.io.store import Store

NOW_MS = utc_now_ms()
UNWANTED = """
SELECT customer, stream, message_id, toUnixTimestamp64Milli(refused) FROM unwanted_mail FINAL ORDER BY message_id
"""


def worker(refused: Refused) -> Callable[[Batch, list[MailEvent]], None]:
    """Takes events in as a worker that was given what is known of refusals."""
    context = replace(adapt_context(Settings()), hash_all=True)
    bounds = TimeBounds(DAY_MS, 90 * DAY_MS)
    take = MailReader(
        adapter("canonical"), context, lambda _: Classified("other", "soft", "none"), bounds, refused=refused
    )

    def taken(batch: Batch, events: list[MailEvent]) -> None:
        offsets = range(batch.next_offset, batch.next_offset + len(events))
        take(batch, [msgspec.json.encode(each) for each in events], list(offsets), NOW_MS)

    return taken


def mail(number: int, days_ago: int, kind: str = "delivered", recipient: str = "jo@harbour.example") -> MailEvent:
    fields = {"id": f"e{number}", "type": kind, "customer": "acme", "stream": "news", "recipient": recipient}
    return MailEvent(**fields, time=NOW_MS - days_ago * DAY_MS, message_id=f"m{number}")  # type: ignore[arg-type]


def test_mail_after_a_refusal_is_kept_with_its_message_id_once(store: Store) -> None:
    first = Batch(SourcePartition("mail.events:x:0", "mail.events", 0, SeenIds(1_000_000), time.monotonic()), 0, 0)
    worker(Refused())(first, [mail(0, 9), mail(1, 8, "unsubscribed"), mail(2, 7)])
    flush(store, [first], NOW_MS)
    assert store.rows(UNWANTED) == [], "a worker that knew of no refusal"

    refused = Refused()
    refresh(refused, store, NOW_MS)
    assert len(refused) == 1
    later = first.next()
    worker(refused)(later, [mail(3, 6), mail(4, 7), mail(5, 3), mail(6, 3, recipient="ann@harbour.example")])
    for _ in range(2):  # as after an answer that got lost
        flush(store, [later], NOW_MS)
    assert [tuple(row) for row in store.rows(UNWANTED)] == [("acme", "news", "m5", NOW_MS - 8 * DAY_MS)]
