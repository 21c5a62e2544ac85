"""Tokens with which a customer's own page is shown in a frame of another site: of one customer, to read, and soon over.

A provider's server asks for one with a key, and gives it to the browser in the address of the frame; the key stays
with the server. A token names the key that it was asked with and is signed with what the store has of it (its hash), so
it is good in every process, and over as soon as the key is revoked or expired. Pure; times are epoch ms.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256

import msgspec

#: Longer than any token.
LONGEST = 2_000
_PURPOSE = b"repmon embed 1\n"


class EmbedToken(msgspec.Struct, frozen=True, kw_only=True):
    """Whose page is shown, until when, and the id of the key that the token was asked with."""

    key: str
    customer: str
    until_ms: int


_decode = msgspec.json.Decoder(EmbedToken).decode


def write_token(token: EmbedToken, key_hash: str) -> str:
    """The token as it stands in an address."""
    body = msgspec.json.encode(token)
    return f"{_text(body)}.{_text(_signature(body, key_hash))}"


def read_token(text: str) -> tuple[EmbedToken, bytes, bytes] | None:
    """What a token says, before it is believed: with what is signed and the signature. None where it is none."""
    body, dot, signature = text.partition(".")
    if not dot or len(text) > LONGEST:
        return None
    try:
        said, signed = _bytes(body), _bytes(signature)
        return _decode(said), said, signed
    except (Error, ValueError, msgspec.MsgspecError):
        return None


def is_signed(body: bytes, signature: bytes, key_hash: str) -> bool:
    """Whether a token was made with a key."""
    return hmac.compare_digest(_signature(body, key_hash), signature)


def _signature(body: bytes, key_hash: str) -> bytes:
    return hmac.new(key_hash.encode(), _PURPOSE + body, sha256).digest()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
