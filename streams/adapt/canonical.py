"""The canonical event: what every adapter's events are made into, and the project's own format, which is that event as
JSON. The hot path: one decode and few branches. Pure.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from schemas.domains import folded
from schemas.event import DEFAULT_STREAM, MAX_CUSTOMER_BYTES, MAX_EVENT_BYTES, NEGATIVE_TYPES, MailEvent
from schemas.names import BadNameError, clean_name
from schemas.providers import AROUND, OTHER
from streams.adapt.base import AdaptError, Context, Together
from streams.adapt.common import DIGEST_BYTES, MAX_TIME_MS, decode, stable_id

#: How a NUL is written in JSON: an unescaped one is no JSON.
ESCAPED_NUL = b"\\u0000"
#: What every escape begins with. Most messages have none; one byte is looked for thirty times as fast as six, and as a
#: number four times as fast as bytes of one.
ESCAPE = ord("\\")
#: Characters in an id or the name of a stream, as the event type has it.
MAX_NAME = MAX_CUSTOMER_BYTES
#: The largest number of three digits: a reply code (RFC 5321 section 4.2).
MAX_CODE = 999

#: Characters of names that are remembered together, so that what is remembered stays small whatever comes.
LONGEST_CACHED = 500

#: The hosts that a mail was to pass (RFC 5321 section 4.1.2, `A-d-l`).
_ROUTE = re.compile(r'^(?:@[^\s,:"@]+,?)+:')

_DECODER = msgspec.json.Decoder(MailEvent)


def decode_canonical(raw: bytes) -> MailEvent:
    """The event in `raw` as it was written: checked, its recipient still open.

    Raises:
        AdaptError: see `adapt`.
    """
    event = check(decode(_DECODER, raw))
    # Seen in the bytes before looking at each field.
    if has_escaped_nul(raw):
        check_no_nul(event)
    return event


def has_escaped_nul(raw: bytes) -> bool:
    """Whether a text in this JSON may hold a NUL character."""
    return ESCAPE in raw and ESCAPED_NUL in raw


def are_plain(raws: Sequence[bytes]) -> bool:
    """Whether all are UTF-8, none is too long, and none may hold a NUL character."""
    if max(map(len, raws)) > MAX_EVENT_BYTES or any(map(has_escaped_nul, [raw for raw in raws if ESCAPE in raw])):
        return False
    try:
        for raw in raws:
            if not raw.isascii():
                raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def adapt(raw: bytes, context: Context) -> list[MailEvent]:
    """One event. `recipient`, if given, is hashed and emptied; domain and provider are filled in.

    Raises:
        AdaptError: over 1 MB, not JSON, a required field is missing or a value is not allowed.
    """
    return [hide_recipient(decode_canonical(raw), context)]


def adapt_all(raws: Sequence[bytes], context: Context) -> Together | None:
    """The events of many messages, one each, and for each the place of its message; or None where any of them is out of
    the ordinary and must be looked at by itself. What `adapt` refuses is never let through here.
    """
    if not are_plain(raws):
        return None
    try:
        events = [_DECODER.decode(raw) for raw in raws]
    except (msgspec.DecodeError, RecursionError):
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
    return events, range(len(events))


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


def complete(event: MailEvent, context: Context, *, may_have_nul: bool = True) -> MailEvent:
    """The event as it leaves an adapter: checked, recipient hashed, domain and provider filled in.

    `may_have_nul` is False where the bytes were looked through for it.

    Raises:
        AdaptError: see `check` and `check_no_nul`.
    """
    if len(event.id) > MAX_NAME:
        event.id = stable_id(event.id)
    check(event)
    if len(event.stream) > MAX_NAME:
        raise AdaptError(f"field `stream`: longer than {MAX_NAME} characters")
    if may_have_nul:
        check_no_nul(event)
    return hide_recipient(event, context)


def hide_recipient(event: MailEvent, context: Context) -> MailEvent:
    """Replace the recipient by its hash, domain and provider. A provider that the source named stays."""
    address = event.recipient
    if address:
        local, domain = _split(address)
        if context.hash_all or event.type in NEGATIVE_TYPES:
            event.recipient_hash = _hash(local, domain, context.hash_key)
        event.recipient_domain = domain
        event.recipient = ""
    elif event.recipient_domain:
        domain = event.recipient_domain.lower().rstrip(".")
        event.recipient_domain = domain if domain.isascii() else folded(domain)
    if event.provider:
        event.provider = event.provider.lower()
    else:
        found = context.providers.by_domain[event.recipient_domain]
        if found == OTHER and event.mx_host:
            found = context.providers.by_mx[event.mx_host]
        event.provider = found
    return event


def hash_recipient(address: str, key: bytes) -> str:
    """The keyed BLAKE2b of an address, 32 hex digits; empty for an empty address.

    The domain is lower-cased; the local part is not, since only the receiving host may say what it means
    (RFC 5321 section 2.4). Angle brackets and space around the address do not count, nor does a name or a comment
    beside it, or the route before it, which is to be ignored (appendix C there).
    """
    return _hash(*_split(address), key)


def domain_of(address: str) -> str:
    """The lower-cased domain of an address, without a final dot; empty if there is none. As in DNS, of ASCII alone:
    some sources write an internationalized one in the one form and some in the other."""
    return _split(address)[1]


def _split(address: str) -> tuple[str, str]:
    """(local part, domain); an address without `@` has no domain."""
    bare = address.strip(AROUND)
    local, at, domain = bare.rpartition("@")
    if not at:
        return bare, ""
    if "<" in local or local[:1] == "@" or "(" in domain:
        local, domain = _without_words(local, domain)
    domain = domain.lower().rstrip(".")
    return local, domain if domain.isascii() else folded(domain)


def _without_words(local: str, domain: str) -> tuple[str, str]:
    """Without a name (`Ida (Sales) <ida`), a route (`@relay.example:ida`) and a comment (`gmail.com> (Ida)`)."""
    if not local.endswith('"'):
        local = local.rpartition("<")[2]
    return _ROUTE.sub("", local), domain.partition("(")[0].rstrip(AROUND)


def _hash(local: str, domain: str, key: bytes) -> str:
    if not local and not domain:
        return ""
    return blake2b(f"{local}@{domain}".encode(), digest_size=DIGEST_BYTES, key=key).hexdigest()


def check(event: MailEvent) -> MailEvent:
    """The event, if it is one that can be counted and stored. Blanks at the ends of its names are gone, and a stream
    without a name is the default one.

    Raises:
        AdaptError: see `good_customer`, `good_name` and `check_numbers`.
    """
    event.customer, event.stream, event.ip_pool = good_names(event.customer, event.stream, event.ip_pool)
    return check_numbers(event)


def good_names(customer: str, stream: str, ip_pool: str) -> tuple[str, str, str]:
    """The names as they are kept. Short ones are remembered, since the same come again and again. Errors are not.

    Raises:
        AdaptError: see `good_customer` and `good_name`.
    """
    short = len(customer) + len(stream) + len(ip_pool) <= LONGEST_CACHED
    return (_good_names if short else _good_names.__wrapped__)(customer, stream, ip_pool)


@lru_cache(maxsize=65_536)
def _good_names(customer: str, stream: str, ip_pool: str) -> tuple[str, str, str]:
    return good_customer(customer), good_stream(stream), good_name(ip_pool, "ip_pool")


def good_customer(name: str) -> str:
    """The customer's name without blanks at either end.

    Raises:
        AdaptError: nothing is left of it, it is too long in bytes, or it holds a control character.
    """
    customer = good_name(name, "customer")
    if not customer:
        raise AdaptError("field `customer`: must not be empty")
    # A character takes at most four bytes in UTF-8, so most names need not be encoded to be measured.
    if len(customer) * 4 > MAX_CUSTOMER_BYTES and len(customer.encode()) > MAX_CUSTOMER_BYTES:
        size = len(customer.encode())
        raise AdaptError(f"field `customer`: has {size} bytes in UTF-8; the limit is {MAX_CUSTOMER_BYTES}")
    return customer


def good_stream(name: str) -> str:
    """The stream's name without blanks at either end; the default one where nothing is left of it.

    Raises:
        AdaptError: it holds a control character.
    """
    return good_name(name, "stream") or DEFAULT_STREAM


def good_name(name: str, field: str) -> str:
    """The name in `field` without blanks at either end.

    Raises:
        AdaptError: it holds a control character (see `schemas.names`).
    """
    # Nearly all names: what can be printed holds no control character, and a space is the only blank that can.
    if name.isprintable() and name[:1] != " " and name[-1:] != " ":
        return name
    try:
        return clean_name(name)
    except BadNameError as error:
        raise AdaptError(f"field `{field}`: {error}") from error


def check_numbers(event: MailEvent) -> MailEvent:
    """The event, if its numbers are in range.

    Raises:
        AdaptError: naming the field.
    """
    if not 0 <= event.smtp_code <= MAX_CODE:
        raise AdaptError(f"field `smtp_code`: {event.smtp_code} is not a reply code of three digits")
    if isinstance(event.time, int) and not -MAX_TIME_MS <= event.time <= MAX_TIME_MS:
        raise AdaptError("field `time`: the number is out of range; expected epoch milliseconds")
    return event


def check_no_nul(event: MailEvent) -> None:
    """No NUL character in any text: it ends strings in too many programs that read the store.

    Raises:
        AdaptError: naming the field.
    """
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str) and "\0" in value:
            raise AdaptError(f"field `{name}`: contains a NUL character")
