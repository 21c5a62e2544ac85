"""Signs webhooks as their providers do, with keys of the tests' own."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

NOW_S = 1_795_000_000.0
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
STANDARD_SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()
SECRET = "s3cret-key"
ARN = "arn:aws:sns:eu-central-1:123456789012:mail-events"
HOST = "https://sns.eu-central-1.amazonaws.com"
CERTIFICATE_URL = f"{HOST}/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE_URL = f"{HOST}/?Action=ConfirmSubscription&TopicArn={ARN}&Token=t0ken"

Headers = dict[str, str]


def public_der(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """The public key as providers show it."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def sendgrid(body: bytes, time: float = NOW_S) -> Headers:
    signature = CURVE.sign(f"{time:.0f}".encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": f"{time:.0f}",
    }


def standard(body: bytes, time: float = NOW_S, name: str = "svix", secret: str = STANDARD_SECRET) -> Headers:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"msg_1.{time:.0f}.".encode() + body, "sha256").digest()
    return {
        f"{name}-id": "msg_1",
        f"{name}-timestamp": f"{time:.0f}",
        f"{name}-signature": "v1," + base64.b64encode(signed).decode(),
    }


def body_hmac(body: bytes, name: str, secret: str = SECRET) -> Headers:
    return {name: hmac.new(secret.encode(), body, "sha256").hexdigest()}


def mailgun(time: float = NOW_S, token: str = "0f" * 25, key: str = SECRET) -> dict[str, str]:
    """The object `signature` of a body."""
    signed = hmac.new(key.encode(), f"{time:.0f}{token}".encode(), "sha256").hexdigest()
    return {"timestamp": f"{time:.0f}", "token": token, "signature": signed}


def mandrill(url: str, fields: dict[str, str], key: str = SECRET) -> Headers:
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return {"x-mandrill-signature": base64.b64encode(hmac.new(key.encode(), signed.encode(), "sha1").digest()).decode()}


def postal(body: bytes, *, both: bool = True) -> Headers:
    old = base64.b64encode(RSA.sign(body, padding.PKCS1v15(), hashes.SHA1())).decode()  # noqa: S303
    new = base64.b64encode(RSA.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()
    return {"x-postal-signature": old} | ({"x-postal-signature-256": new} if both else {})


def unisender(events: str, key: str = SECRET) -> bytes:
    """A body whose `auth` is right."""
    text = f'{{"auth":"{{}}","events_by_user":{events}}}'
    digest = hashlib.md5(text.replace("{}", key, 1).encode()).hexdigest()  # noqa: S324
    return text.replace("{}", digest, 1).encode()


def sns(version: str = "2", **changes: str) -> dict[str, str]:
    """A message of SNS; `changes` are made before it is signed."""
    time = datetime.fromtimestamp(NOW_S, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    message = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": ARN,
        "Message": "{}",
        "Timestamp": time,
        **changes,
    }
    if message["Type"] != "Notification":
        message = {"SubscribeURL": SUBSCRIBE_URL, "Token": "t0ken", **message}
    # The order in which the documentation lists the fields of each type.
    notification = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    other = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    names = notification if message["Type"] == "Notification" else other
    signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303
    signature = base64.b64encode(RSA.sign(signed.encode(), padding.PKCS1v15(), digest)).decode()
    return {**message, "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE_URL}


def sns_body(version: str = "2", **changes: str) -> bytes:
    return json.dumps(sns(version, **changes)).encode()


def certificate(days: tuple[float, float] = (-30, 30)) -> bytes:
    """A certificate of RSA, valid from and until so many days from now, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begins, ends = (datetime.fromtimestamp(NOW_S, UTC) + timedelta(days=each) for each in days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(RSA.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(RSA, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
