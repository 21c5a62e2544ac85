"""What all proofs of a webhook share: headers, comparison in constant time, times that are not old. Pure."""

import base64
import binascii
import hmac
from collections.abc import Mapping

from schemas.errors import InvalidInputError

#: Names in lower case, as ASGI gives them.
Headers = Mapping[str, str]

#: How far a provider's clock may be ahead of ours, in s.
AHEAD_S = 300.0


class SignatureError(InvalidInputError):
    """The request does not prove that the provider sent it. The message is for the operator, not for the sender."""


class KeyFormatError(InvalidInputError):
    """A configured secret or key cannot be one; the message says why and does not repeat it."""


def header(headers: Headers, name: str) -> str:
    """A header that must be there.

    Raises:
        SignatureError: it is not, or is empty.
    """
    found = headers.get(name.lower(), "").strip()
    if not found:
        raise SignatureError(f"there is no header {name}")
    return found


def same(one: str | bytes, other: str | bytes) -> bool:
    """Whether both are the same text, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def expect(given: str | bytes, wanted: str | bytes, what: str) -> None:
    """Compare in constant time.

    Raises:
        SignatureError: they differ; `what` is named, neither of them.
    """
    if not same(given, wanted):
        raise SignatureError(f"{what} does not match")


def unbase64(text: str, what: str) -> bytes:
    """The bytes of base64 text (RFC 4648 section 4).

    Raises:
        SignatureError: it is not base64; `what` is named.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"{what} is not base64") from error


def check_age(seconds: str | float, now_s: float, tolerance_s: float) -> None:
    """Refuse a signature made more than `tolerance_s` ago, or in the future.

    Raises:
        SignatureError: it is, or the time is no number of seconds since 1970.
    """
    if isinstance(seconds, str) and not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        raise SignatureError("the time of the signature is not a number of seconds")
    age = now_s - float(seconds)
    if age > tolerance_s:
        raise SignatureError(f"signed {age:,.0f} s ago; the limit is {tolerance_s:,.0f}")
    if age < -AHEAD_S:
        raise SignatureError(f"signed {-age:,.0f} s in the future")


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
