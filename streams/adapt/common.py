"""What the adapters share: safe decoding with plain errors, addresses, ids, times."""

import re
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar, get_args

import msgspec

from schemas.event import (
    DEFAULT_STREAM,
    MAX_CUSTOMER_BYTES,
    MAX_EVENT_BYTES,
    NEGATIVE_TYPES,
    EventType,
    FeedbackType,
    MailEvent,
    StreamClass,
    epoch_ms,
)
from schemas.names import BadNameError, clean_name
from schemas.providers import OTHER
from streams.adapt.base import AdaptError, Context

T = TypeVar("T")

DIGEST_BYTES = 16
_PARTS = msgspec.json.Encoder(enc_hook=str)
#: How a NUL is written in JSON: an unescaped one is no JSON.
ESCAPED_NUL = b"\\u0000"
#: Characters in an id or the name of a stream, as the event type has it.
MAX_NAME = MAX_CUSTOMER_BYTES
#: Epoch milliseconds that fit the store and JSON: 64-bit integers.
MAX_TIME_MS = 2**63 - 1
#: The largest number of three digits: a reply code (RFC 5321 section 4.2).
MAX_CODE = 999

#: What is kept of an error that repeats a value, in characters.
MAX_SAID = 300

#: RFC 5321 section 4.2 (reply code) with RFC 2034 section 4 (enhanced status code after it).
_REPLY = re.compile(r"(?:^|[\s:;])([245]\d\d)(?:[ -]#?|$)(?:([245]\.\d{1,3}\.\d{1,3})\b)?")
_STATUS = re.compile(r"(?:^|[\s#(])([245]\.\d{1,3}\.\d{1,3})\b")
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `([^`]+)`")
_CHOICES = {
    "type": get_args(EventType),
    "class": get_args(StreamClass),
    "feedback_type": get_args(FeedbackType),
}


def hash_recipient(address: str, key: bytes) -> str:
    """The keyed BLAKE2b of an address, 32 hex digits; empty for an empty address.

    The domain is lower-cased; the local part is not, since only the receiving host may say what it means
    (RFC 5321 section 2.4). Angle brackets and space around the address do not count.
    """
    return _hash(*_split(address), key)


def domain_of(address: str) -> str:
    """The lower-cased domain of an address, without a final dot; empty if there is none."""
    return _split(address)[1]


def _split(address: str) -> tuple[str, str]:
    """(local part, domain); an address without `@` has no domain."""
    bare = address.strip(" \t\r\n<>")
    local, at, domain = bare.rpartition("@")
    return (local, domain.lower().rstrip(".")) if at else (bare, "")


def _hash(local: str, domain: str, key: bytes) -> str:
    if not local and not domain:
        return ""
    return blake2b(f"{local}@{domain}".encode(), digest_size=DIGEST_BYTES, key=key).hexdigest()


def stable_id(*parts: object) -> str:
    """An id that is the same whenever the parts are: 32 hex digits. Parts cannot run into each other."""
    return blake2b(_PARTS.encode(parts), digest_size=DIGEST_BYTES).hexdigest()


def decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """Decode one JSON text, whatever the bytes are.

    Raises:
        AdaptError: too large, not UTF-8 (RFC 8259 section 8.1), not JSON, nested too deeply, or not the shape
            that is expected.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise AdaptError(f"the message has {len(raw):,} bytes; the limit is {MAX_EVENT_BYTES:,}")
    try:
        if not raw.isascii():
            raw.decode()
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AdaptError(plain(error) if raw.strip() else "the message is empty") from error


def plain(error: Exception) -> str:
    """A decoding error in words for a person: which field, and what is wrong with it."""
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"the message is not UTF-8 text (byte {error.start})"
    message = str(error)
    if not isinstance(error, msgspec.ValidationError):
        # "JSON is malformed: unexpected ..." says the same twice.
        said = message.removeprefix("JSON is malformed: ")
        return f"the message is not JSON: {said[:1].lower()}{said[1:]}"
    at = _AT.search(message)
    field = at[1][:MAX_SAID] if at else ""
    message = _AT.sub("", message)[:MAX_SAID]
    if missing := _MISSING.match(message):
        inside = f" in `{field}`" if field else ""
        return f"field `{missing[1]}` is missing{inside}"
    if message.startswith("Invalid enum value") and field in _CHOICES:
        known = ", ".join(each for each in _CHOICES[field] if each)
        message = message.replace("Invalid enum value", "unknown value") + f"; known are {known}"
    elif message == "Expected `str` of length >= 1":
        message = "must not be empty"
    elif message == "Expected `int | datetime`, got `float`":
        message = "expected epoch milliseconds (a whole number) or RFC 3339 text, got a number with a fraction"
    where = f"field `{field}`: " if field else "the message: "
    return where + message[0].lower() + message[1:]


def check(event: MailEvent) -> MailEvent:
    """The event, if it is one that can be counted and stored. Blanks at the ends of its names are gone, and a stream
    without a name is the default one.

    Raises:
        AdaptError: see `good_customer`, `good_name` and `check_numbers`.
    """
    event.customer, event.stream, event.ip_pool = _good_names(event.customer, event.stream, event.ip_pool)
    return check_numbers(event)


@lru_cache(maxsize=8_192)
def _good_names(customer: str, stream: str, ip_pool: str) -> tuple[str, str, str]:
    """Remembered, since the same names come again and again. Errors are not."""
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
        event.recipient_domain = event.recipient_domain.lower().rstrip(".")
    if event.provider:
        event.provider = event.provider.lower()
    else:
        found = context.providers.by_domain[event.recipient_domain]
        if found == OTHER and event.mx_host:
            found = context.providers.by_mx[event.mx_host]
        event.provider = found
    return event


def text(value: object) -> str:
    """A name or number from a field whose type senders do not agree on; empty for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def time_ms(value: float | str | datetime) -> int:
    """Epoch ms, UTC, of epoch seconds (any number, or digits as text) or RFC 3339 text of any precision.

    Raises:
        AdaptError: neither of these, or out of range.
    """
    if isinstance(value, datetime):
        return epoch_ms(value)
    if isinstance(value, str):
        try:
            plain_number = value.replace(".", "", 1).isdecimal()
            return time_ms(float(value) if plain_number else msgspec.convert(value, datetime))
        except msgspec.ValidationError as error:
            raise AdaptError(f"the time {value[:40]!r} is neither epoch seconds nor RFC 3339") from error
    moment = round(value * 1000) if abs(value) < MAX_TIME_MS else MAX_TIME_MS + 1
    if abs(moment) > MAX_TIME_MS:
        raise AdaptError(f"the time {str(value)[:40]} is out of range; expected epoch seconds")
    return moment


def reply_of(reply_text: str) -> tuple[int, str]:
    """(reply code, enhanced status) as they stand in a server's reply; 0 and empty where there is none."""
    head = reply_text[:400]
    reply = _REPLY.search(head)
    status = (reply[2] if reply else None) or ""
    if not status and (found := _STATUS.search(head)):
        status = found[1]
    return (int(reply[1]) if reply else 0), status
