"""The project's own format: one canonical event, as JSON. The hot path: one decode and few branches."""

from collections.abc import Callable, Sequence

import msgspec

from schemas.event import MAX_EVENT_BYTES, NEGATIVE_TYPES, MailEvent
from streams.adapt.base import AdaptError, Context
from streams.adapt.common import (
    ESCAPED_NUL,
    MAX_CODE,
    check,
    check_no_nul,
    check_numbers,
    decode,
    good_customer,
    good_name,
    good_stream,
    hide_recipient,
)

_DECODER = msgspec.json.Decoder(MailEvent)


def decode_canonical(raw: bytes) -> MailEvent:
    """The event in `raw` as it was written: checked, its recipient still open.

    Raises:
        AdaptError: see `adapt`.
    """
    event = check(decode(_DECODER, raw))
    # Seen in the bytes before looking at each field.
    if ESCAPED_NUL in raw:
        check_no_nul(event)
    return event


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event. `recipient`, if given, is hashed and emptied; domain and provider are filled in.

    Raises:
        AdaptError: over 1 MB, not JSON, a required field is missing or a value is not allowed.
    """
    return [hide_recipient(decode_canonical(raw), context)]


def adapt_all(raws: Sequence[bytes], context: Context) -> list[MailEvent] | None:
    """The events of many messages, one each, or None where any of them is out of the ordinary and must be looked
    at by itself. What `adapt` refuses is never let through here.
    """
    # Whole-buffer checks first: they cost a tenth of the same checks message by message.
    together = b"\n".join(raws)
    if ESCAPED_NUL in together or max(map(len, raws)) > MAX_EVENT_BYTES:
        return None
    try:
        if not together.isascii():
            together.decode()
        events = [_DECODER.decode(raw) for raw in raws]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    codes = [event.smtp_code for event in events]
    if min(codes) < 0 or max(codes) > MAX_CODE or not _have_good_names(events):
        return None
    known = context.providers.by_domain
    for event in events:
        if event.recipient or event.provider or event.mx_host or event.type in NEGATIVE_TYPES:
            if not _finish(event, context):
                return None
        else:
            event.provider = known[event.recipient_domain]
    return events


def _have_good_names(events: list[MailEvent]) -> bool:
    """Check each name once, however many events have it, and take away the blanks at its ends as `check` does; False
    where `check` would refuse one."""
    try:
        customers = _mended({event.customer for event in events}, good_customer)
        streams = _mended({event.stream for event in events}, good_stream)
        pools = _mended({event.ip_pool for event in events}, lambda name: good_name(name, "ip_pool"))
    except AdaptError:
        return False
    if customers or streams or pools:
        for event in events:
            event.customer = customers.get(event.customer, event.customer)
            event.stream = streams.get(event.stream, event.stream)
            event.ip_pool = pools.get(event.ip_pool, event.ip_pool)
    return True


def _mended(names: set[str], good: Callable[[str], str]) -> dict[str, str]:
    """Those that change, and what becomes of each."""
    return {name: found for name in names if (found := good(name)) != name}


def _finish(event: MailEvent, context: Context) -> bool:
    """What `adapt` does with an event that has a recipient or a provider, or is kept; False if it would refuse it."""
    try:
        hide_recipient(check_numbers(event), context)
    except AdaptError:
        return False
    return True
