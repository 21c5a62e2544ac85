"""Topics with listings: those of our own scan, and of outside blocklist monitors. Pure."""

from collections.abc import Sequence
from functools import partial

import msgspec

from schemas.listing import BlocklistEvent
from streams.adapt import AdaptError, Context, ListingAdapter
from streams.adapt.apart import read_apart
from streams.adapt.base import printable
from streams.adapt.common import plain
from streams.adapt.validate import check_time
from streams.intake.batch import Batch
from streams.intake.bounds import TimeBounds

LISTING = msgspec.json.Decoder(BlocklistEvent)


class ListingReader:
    """A `BatchReader` of `mail.blocklistings`."""

    def __init__(self, bounds: TimeBounds) -> None:
        self._bounds = bounds

    def __call__(self, batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        """Take the messages into the batch."""
        batch.note_taken(offsets)
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                event = LISTING.decode(payload)
                reason = check_time(event, now_ms, self._bounds.ahead_ms, self._bounds.behind_ms)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                reason = printable(plain(error))
            if reason:
                batch.set_aside(payload, offset, now_ms, reason)
            else:
                batch.listings.append((offset, event))


class OutsideListingReader:
    """A `BatchReader` of a topic of an outside blocklist monitor. A bad record costs itself alone."""

    def __init__(self, adapt: ListingAdapter, context: Context, bounds: TimeBounds) -> None:
        self._adapt = adapt
        self._context = context
        self._bounds = bounds

    def __call__(self, batch: Batch, payloads: Sequence[bytes], offsets: Sequence[int], now_ms: int) -> None:
        """Take the messages into the batch."""
        batch.note_taken(offsets)
        check = partial(self._check, now_ms)
        for payload, offset in zip(payloads, offsets, strict=True):
            try:
                events = self._adapt(payload, self._context)
                check(events)
            except AdaptError as error:
                apart = read_apart(self._adapt, payload, self._context, check)
                if apart is None:
                    batch.set_aside(payload, offset, now_ms, str(error))
                    continue
                if apart.rest:
                    batch.set_aside(apart.rest, offset, now_ms, apart.reason, apart.bad_share)
                events = apart.events
            batch.listings += [(offset, each) for each in events]

    def _check(self, now_ms: int, events: Sequence[BlocklistEvent]) -> None:
        for event in events:
            if reason := check_time(event, now_ms, self._bounds.ahead_ms, self._bounds.behind_ms):
                raise AdaptError(reason)
