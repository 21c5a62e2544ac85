"""What the adapters share: safe decoding with plain errors, ids, times."""

import re
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar, get_args

import msgspec

from schemas.event import (
    MAX_EVENT_BYTES,
    EventType,
    FeedbackType,
    StreamClass,
)
from schemas.times import epoch_ms
from streams.adapt.base import AdaptError

T = TypeVar("T")

DIGEST_BYTES = 16
_PARTS = msgspec.json.Encoder(enc_hook=str)
#: A copy of it takes half the time that making a new one does.
_EMPTY = blake2b(digest_size=DIGEST_BYTES)
#: Epoch milliseconds that fit the store and JSON: 64-bit integers.
MAX_TIME_MS = 2**63 - 1
#: Numbers since 1970 below these are seconds, milliseconds, microseconds, nanoseconds, of which a ms has so many: for
#: the years from 1973 to 5138 no two are alike.
_UNITS = ((1e11, 1e-3), (1e14, 1.0), (1e17, 1e3), (1e20, 1e6))

#: What is kept of an error that repeats a value, in characters.
MAX_SAID = 300

_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `([^`]+)`")
_CHOICES = {
    "type": get_args(EventType),
    "class": get_args(StreamClass),
    "feedback_type": get_args(FeedbackType),
}


def stable_id(*parts: object) -> str:
    """An id that is the same whenever the parts are: 32 hex digits. Parts cannot run into each other."""
    digest = _EMPTY.copy()
    digest.update(_PARTS.encode(parts))
    return digest.hexdigest()


def text_id(*parts: str) -> str:
    """As `stable_id`, of texts alone: they hold no NUL, since such events are refused."""
    digest = _EMPTY.copy()
    digest.update("\0".join(parts).encode())
    return digest.hexdigest()


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


def text(value: object) -> str:
    """A name or number from a field whose type senders do not agree on; empty for anything else."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def time_ms(value: float | str | datetime) -> int:
    """Epoch ms, UTC, of a number since 1970, or digits as text, in s, ms, us or ns (see `_UNITS`), or of RFC 3339 text
    of any precision.

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
    for below, units_in_a_ms in _UNITS:
        if abs(value) < below:
            return round(value / units_in_a_ms)
    raise AdaptError(f"the time {str(value)[:40]} is out of range; expected epoch seconds")
