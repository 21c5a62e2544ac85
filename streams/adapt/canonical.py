"""The project's own format: one canonical event, as JSON. The hot path: one decode and few branches."""

import msgspec

from schemas.event import MailEvent
from streams.adapt.base import Context
from streams.adapt.common import check, check_no_nul, decode, hide_recipient

_DECODER = msgspec.json.Decoder(MailEvent)


def decode_canonical(raw: bytes) -> MailEvent:
    """The event in `raw` as it was written: checked, its recipient still open.

    Raises:
        AdaptError: see `adapt`.
    """
    event = check(decode(_DECODER, raw))
    # An unescaped NUL is no JSON; an escaped one can be seen before looking at each field.
    if b"\\u0000" in raw:
        check_no_nul(event)
    return event


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event. `recipient`, if given, is hashed and emptied; domain and provider are filled in.

    Raises:
        AdaptError: over 1 MB, not JSON, a required field is missing or a value is not allowed.
    """
    return [hide_recipient(decode_canonical(raw), context)]
