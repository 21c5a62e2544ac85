"""Webhooks signed with a shared secret (HMAC, RFC 2104). Pure: headers, body and time in, SignatureError out."""

import base64
import binascii
import hashlib
import hmac
from typing import TypeVar

import msgspec

from api.collect.signature import Headers, KeyFormatError, SignatureError, check_age, expect, header, same
from streams.adapt.base import AdaptError
from streams.adapt.form import form_fields, is_form

#: MailerSend signs the request by which it tries a new address with this, for everybody, and saves no webhook that does
#: not take it: https://developers.mailersend.com/api/v1/webhooks.html
MAILERSEND_TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105 - public
MAILERSEND_TEST_TYPE = "webhook.test"

T = TypeVar("T")
_PREFIX = "whsec_"
_NAMES = ("svix", "webhook")


def standard_key(secret: str) -> bytes:
    """The key in a secret of Standard Webhooks: base64, with or without `whsec_` before it.

    Raises:
        KeyFormatError: it is not base64, or empty.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFormatError(f"not base64 behind {_PREFIX}") from error
    if not key:
        raise KeyFormatError("empty")
    return key


def verify_standard(headers: Headers, body: bytes, key: bytes, now_s: float, tolerance_s: float) -> None:
    """Standard Webhooks, which Svix and so Resend send: base64 HMAC-SHA256 over id, time and body.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
    https://docs.svix.com/receiving/verifying-payloads/how-manual ; headers begin with `svix-` or `webhook-`. There may
    be several signatures, of which one must fit, so that a secret can be changed.

    Raises:
        SignatureError: none fits, a header is missing, or the time is too far from `now_s` (epoch seconds).
    """
    name = next((each for each in _NAMES if headers.get(f"{each}-signature")), _NAMES[-1])
    unique, time, given = (header(headers, f"{name}-{part}") for part in ("id", "timestamp", "signature"))
    wanted = base64.b64encode(_hmac(key, f"{unique}.{time}.".encode() + body, "sha256"))
    if not any(same(each.removeprefix("v1,"), wanted) for each in given.split() if each.startswith("v1,")):
        raise SignatureError("no signature matches the body")
    check_age(time, now_s, tolerance_s)


class _MailgunSignature(msgspec.Struct, rename="kebab"):
    timestamp: str | int
    token: str
    signature: str
    parent_signature: str = ""


class _Mailgun(msgspec.Struct):
    signature: _MailgunSignature


def verify_mailgun(body: bytes, key: str, now_s: float, tolerance_s: float) -> None:
    """Mailgun: hex HMAC-SHA256 over time and token, which are in the body; `parent-signature` is by the main account's
    key. https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

    It does not cover the event itself: who sees one request can send another event with its signature.

    Raises:
        SignatureError: it does not match, is missing, or the time is too far from `now_s` (epoch seconds).
    """
    signed = _mailgun(body)
    time = str(signed.timestamp)
    wanted = _hmac(key.encode(), f"{time}{signed.token}".encode("utf-8", "surrogatepass"), "sha256").hex()
    if not any(same(each, wanted) for each in (signed.signature, signed.parent_signature)):
        raise SignatureError("the signature does not match time and token")
    check_age(time, now_s, tolerance_s)


def mailgun_token(body: bytes) -> str:
    """The token of a request, which comes once.

    Raises:
        SignatureError: there is none.
    """
    return _mailgun(body).token


def _mailgun(body: bytes) -> _MailgunSignature:
    return _mailgun_form(body) if is_form(body) else _decoded(body, _Mailgun).signature


def _mailgun_form(body: bytes) -> _MailgunSignature:
    fields = _fields(body)
    given = {name: values[0] for name, values in fields.items()}
    try:
        return _MailgunSignature(given["timestamp"], given["token"], given["signature"])
    except KeyError as error:
        raise SignatureError(f"there is no field {error.args[0]}") from error


def verify_hex(headers: Headers, body: bytes, name: str, secret: str) -> None:
    """Hex HMAC-SHA256 over the body in the header `name`.

    MailerSend, `Signature`: https://developers.mailersend.com/api/v1/webhooks.html . Mailtrap, `Mailtrap-Signature`:
    https://docs.mailtrap.io/email-api-smtp/advanced/webhooks . No time is signed.

    Raises:
        SignatureError: it does not match, or is missing.
    """
    expect(header(headers, name).lower(), _hmac(secret.encode(), body, "sha256").hex(), "the signature of the body")


class _Typed(msgspec.Struct):
    type: str = ""


def is_mailersend_test(headers: Headers, body: bytes) -> bool:
    """Whether MailerSend only tries the address: the type says so, and the public test secret fits."""
    try:
        verify_hex(headers, body, "Signature", MAILERSEND_TEST_SECRET)
        return _decoded(body, _Typed).type == MAILERSEND_TEST_TYPE
    except SignatureError:
        return False


def verify_mandrill(headers: Headers, body: bytes, key: str, url: str) -> None:
    """Mandrill: base64 HMAC-SHA1 over the webhook's address, as it was entered there, and the form's fields by name.

    https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
    No time is signed.

    Raises:
        SignatureError: it does not match, is missing, or the body is no form.
    """
    fields = _fields(body)
    signed = url + "".join(name + value for name in sorted(fields) for value in fields[name])
    wanted = base64.b64encode(_hmac(key.encode(), signed.encode("utf-8", "surrogatepass"), "sha1"))
    expect(header(headers, "X-Mandrill-Signature"), wanted, "the signature of address and fields")


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        # The collector has its own limits.
        return form_fields(body, len(body))
    except AdaptError as error:
        raise SignatureError(f"no form that can be read: {error}") from error


def _hmac(key: bytes, text: bytes, digest: str) -> bytes:
    return hmac.new(key, text, getattr(hashlib, digest)).digest()


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureError(f"there is no signature in the body: {error}") from error
