"""A message that is read by itself: whole, or what of it can be read. Pure.

So is read what is out of the ordinary, and every format that has no way to read many messages at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.event import MAX_EVENT_BYTES, MailEvent
from streams.adapt import Adapter, AdaptError, Context
from streams.adapt.apart import ReadApart, read_apart
from streams.intake.admission import Admission
from streams.intake.bounds import TimeBounds, check_times


@dataclass(frozen=True, slots=True)
class SingleReader:
    """Reads by an adapter; `admission` bounds how many new customers may come."""

    adapt: Adapter
    context: Context
    bounds: TimeBounds
    admission: Admission | None = None

    def read(self, payload: bytes, now_ms: int) -> tuple[Sequence[MailEvent], ReadApart[MailEvent] | None]:
        """Its events, and where some of its records are bad, what is left.

        Raises:
            AdaptError: nothing of it can be read, or its customers are not admitted.
        """

        def check(found: Sequence[MailEvent]) -> None:
            check_times(self.bounds, now_ms, found)
            if self.admission is not None:
                self.admission.check(found, now_ms)

        try:
            found = _adapted(payload, self.adapt, self.context)
            check(found)
        except AdaptError:
            apart = read_apart(self.adapt, payload, self.context, check)
            if apart is None:
                raise
            return apart.events, apart if apart.rest else None
        return found, None


def _adapted(payload: bytes, adapt: Adapter, context: Context) -> list[MailEvent]:
    if len(payload) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(payload):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    return adapt(payload, context)
