"""Amazon SNS messages over HTTP: their signature, and the addresses they name. Pure.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import re
from datetime import datetime
from typing import Literal
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.collect.key_signatures import check_rsa
from api.collect.signature import SignatureError, check_age, unbase64

_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9A-Za-z]{1,128}\.pem")
_DIGESTS: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - what is sent


class Message(msgspec.Struct, rename="pascal", frozen=True):
    """The envelope. Which fields there are depends on the type."""

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    message: str
    message_id: str
    timestamp: str
    topic_arn: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    subscribe_url: str = msgspec.field(name="SubscribeURL", default="")
    token: str = ""


def read_message(body: bytes) -> Message:
    """The envelope in a body.

    Raises:
        SignatureError: there is none.
    """
    try:
        return msgspec.json.decode(body, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureError(f"no message of SNS: {error}") from error


def signed_text(message: Message) -> bytes:
    """What is signed: name and value of some fields, a line each, in the order of their names.

    Raises:
        SignatureError: a field other than `Message` has a line break: a piece of it could pass for the next one.
    """
    fields = {
        "Message": message.message,
        "MessageId": message.message_id,
        "Timestamp": message.timestamp,
        "TopicArn": message.topic_arn,
        "Type": message.type,
    }
    if message.type == "Notification":
        if message.subject is not None:
            fields["Subject"] = message.subject
    else:
        fields |= {"SubscribeURL": message.subscribe_url, "Token": message.token}
    if any("\n" in value for name, value in fields.items() if name != "Message"):
        raise SignatureError("a field has a line break")
    return "".join(f"{name}\n{fields[name]}\n" for name in sorted(fields)).encode("utf-8", "surrogatepass")


def check_certificate_url(url: str) -> None:
    """A certificate is only asked for from SNS itself: HTTPS, its host in some region, the path its certificates have.

    Raises:
        SignatureError: the address is not one of SNS.
    """
    parts = _parts(url)
    if parts is None or not _CERTIFICATE.fullmatch(parts.path) or parts.query or parts.fragment:
        raise SignatureError("SigningCertURL is not an address of SNS")


def check_topic(message: Message, topic_arn: str) -> None:
    """SNS signs for everybody who has an account there; only the topic tells whose message it is.

    Raises:
        SignatureError: the message is of another topic.
    """
    if message.topic_arn != topic_arn:
        raise SignatureError(f"a message of a different topic, {message.topic_arn[:256]!r}")


def verify_sns(message: Message, key: RSAPublicKey, now_s: float, tolerance_s: float) -> None:
    """The signature of a message with the key of the certificate that it names.

    Raises:
        SignatureError: it does not match, or the message's time is too far from `now_s` (epoch seconds).
    """
    digest = _DIGESTS.get(message.signature_version)
    if digest is None:
        raise SignatureError("SignatureVersion is neither 1 nor 2")
    check_rsa(key, unbase64(message.signature, "Signature"), signed_text(message), digest)
    try:
        signed_s = datetime.fromisoformat(message.timestamp).timestamp()
    except (ValueError, OverflowError) as error:
        raise SignatureError("Timestamp is not a time") from error
    check_age(signed_s, now_s, tolerance_s)


def confirmation_url(message: Message) -> str:
    """Where a subscription is confirmed: at SNS itself, and for the message's own topic.

    Raises:
        SignatureError: the address is not one of SNS.
    """
    parts = _parts(message.subscribe_url)
    asked = parse_qs(parts.query) if parts is not None else {}
    if asked.get("Action") != ["ConfirmSubscription"] or asked.get("TopicArn") != [message.topic_arn]:
        raise SignatureError("SubscribeURL is not an address of SNS that confirms this topic")
    return message.subscribe_url


def _parts(url: str) -> SplitResult | None:
    """The parts of an address of SNS; None for every other."""
    # A control character or space is passed over by some readers of addresses and not by others.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts if parts.scheme == "https" and _HOST.fullmatch(parts.netloc) else None
