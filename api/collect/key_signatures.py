"""Webhooks signed with a private key, checked with its public one. Pure."""

import base64
import binascii
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.collect.signature import Headers, KeyFormatError, SignatureError, check_age, header, unbase64

_DKIM = re.compile(r"(?:^|;)\s*p=([A-Za-z0-9+/=\s]+)")


def elliptic_key(text: str) -> ec.EllipticCurvePublicKey:
    """An ECDSA key on P-256, in PEM or as base64 of its DER form.

    Raises:
        KeyFormatError: it is not such a key.
    """
    key = _public_key(text)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFormatError("no ECDSA key on P-256")
    return key


def rsa_key(text: str) -> RSAPublicKey:
    """An RSA key, in PEM, as base64 of its DER form, or in a DKIM record (RFC 6376 section 3.6.1).

    Raises:
        KeyFormatError: it is not such a key.
    """
    key = _public_key(text)
    if not isinstance(key, RSAPublicKey):
        raise KeyFormatError("no RSA key")
    return key


def _public_key(text: str) -> object:
    try:
        if "-----BEGIN" in text:
            return serialization.load_pem_public_key(text.encode())
        record = _DKIM.search(text)
        plain = "".join((record[1] if record else text).split())
        return serialization.load_der_public_key(base64.b64decode(plain, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise KeyFormatError("neither PEM nor base64 of a public key") from error


def verify_sendgrid(
    headers: Headers, body: bytes, key: ec.EllipticCurvePublicKey, now_s: float, tolerance_s: float
) -> None:
    """SendGrid: ECDSA with SHA-256 over time and body.

    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

    Raises:
        SignatureError: it does not match, a header is missing, or the time is too far from `now_s` (epoch seconds).
    """
    given = header(headers, "X-Twilio-Email-Event-Webhook-Signature")
    time = header(headers, "X-Twilio-Email-Event-Webhook-Timestamp")
    try:
        key.verify(unbase64(given, "the signature"), time.encode() + body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureError("the signature does not match time and body") from error
    check_age(time, now_s, tolerance_s)


def verify_postal(headers: Headers, body: bytes, key: RSAPublicKey) -> None:
    """Postal: RSA (PKCS #1 v1.5) over the body, with SHA-256 in `X-Postal-Signature-256`, and with SHA-1 in
    `X-Postal-Signature`, which older versions send alone. https://docs.postalserver.io/developer/webhooks and
    https://github.com/postalserver/postal/blob/main/lib/postal/http.rb . No time is signed.

    Raises:
        SignatureError: the better of those sent does not match, or none is sent.
    """
    better = "X-Postal-Signature-256"
    if better.lower() in headers:
        check_rsa(key, unbase64(header(headers, better), better), body, hashes.SHA256())
    else:
        given = unbase64(header(headers, "X-Postal-Signature"), "X-Postal-Signature")
        check_rsa(key, given, body, hashes.SHA1())  # noqa: S303 - what is sent


def check_rsa(key: RSAPublicKey, signature: bytes, signed: bytes, digest: hashes.HashAlgorithm) -> None:
    """RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).

    Raises:
        SignatureError: it does not match.
    """
    try:
        key.verify(signature, signed, padding.PKCS1v15(), digest)
    except InvalidSignature as error:
        raise SignatureError("the signature does not match what is signed") from error
