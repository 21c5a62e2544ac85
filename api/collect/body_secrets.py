"""Webhooks that carry their proof in the body. Pure."""

import hashlib
import re

import msgspec

from api.collect.signature import SignatureError, expect
from streams.adapt.base import AdaptError
from streams.adapt.form import form_fields, is_form

#: The text by which Unisender Go replaces the API key.
_AUTH = re.compile(rb'"auth"\s*:\s*"([0-9a-fA-F]{32})"')


class _SocketLabs(msgspec.Struct, rename="pascal"):
    secret_key: str


def verify_socketlabs(body: bytes, secret: str) -> None:
    """SocketLabs: the webhook's secret key itself, as `SecretKey`.

    https://help.socketlabs.com/docs/event-webhooks-authentication-and-access ; endpoints of before June 2021 get forms.

    Raises:
        SignatureError: it does not match, or is missing.
    """
    try:
        given = form_fields(body)["SecretKey"][0] if is_form(body) else _json(body)
    except (AdaptError, KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureError("there is no SecretKey in the body") from error
    expect(given, secret, "SecretKey")


def _json(body: bytes) -> str:
    return msgspec.json.decode(body, type=_SocketLabs).secret_key


def verify_unisender(body: bytes, key: str) -> None:
    """Unisender Go: `auth` is the MD5 of the body in which the API key stands in its place.

    https://godocs.unisender.ru/web-api-ref#callback-format . No time is signed.

    Raises:
        SignatureError: it does not match, or is missing.
    """
    found = _AUTH.search(body)
    if found is None:
        raise SignatureError("there is no auth in the body")
    start, end = found.span(1)
    wanted = hashlib.md5(body[:start] + key.encode() + body[end:], usedforsecurity=False).hexdigest()
    expect(found[1].lower(), wanted, "auth")
