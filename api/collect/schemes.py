"""How each provider's webhooks are proved to be its own: one entry a format that signs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from api.collect import body_secrets, hmac_signatures, key_signatures, sns
from api.collect.certificates import Certificates
from api.collect.signature import Headers
from schemas.collect import Source

#: `keep` goes to the topic; `ping` and `unsubscribed` are answered and not kept; `confirm` is a subscription of SNS
#: that waits to be confirmed.
RequestVerdict = Literal["keep", "ping", "unsubscribed", "confirm"]
#: Takes headers, body and the time now (epoch seconds); raises SignatureError.
Check = Callable[[Headers, bytes, float], RequestVerdict]
#: Takes the source, how old a signature may be in s, and where the certificates of SNS are; raises KeyFormatError.
Make = Callable[[Source, float, Certificates], Check]
#: The setting that holds what a signature is checked with.
Proof = Literal["secret", "public_key", "topic_arn"]

#: Of a time that is new with each try: what the libraries of Standard Webhooks allow.
TRY_S = 300.0
#: Of providers that do not say whether a repeated request is signed again. A day: SendGrid repeats one for so long, and
#: for so long ingest knows every event's id, so that a request that somebody replays counts nothing twice.
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a format's signature needs, what checks it, and how old it may be where it has a time."""

    needs: Proof
    make: Make
    oldest_s: float | None = None
    slow: bool = False
    #: Gives the token of a body, where the signature covers that and not the event.
    token: Callable[[bytes], str] | None = None


def keep(verify: Callable[[Headers, bytes, float], None]) -> Check:
    """A check whose requests are all to be kept."""

    def check(headers: Headers, body: bytes, now_s: float) -> RequestVerdict:
        verify(headers, body, now_s)
        return "keep"

    return check


def _mailersend(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    def check(headers: Headers, body: bytes, _now_s: float) -> RequestVerdict:
        if hmac_signatures.is_mailersend_test(headers, body):
            return "ping"
        hmac_signatures.verify_hex(headers, body, "Signature", source.secret)
        return "keep"

    return check


def _mailgun(source: Source, oldest_s: float, _certificates: Certificates) -> Check:
    return keep(lambda _h, body, now_s: hmac_signatures.verify_mailgun(body, source.secret, now_s, oldest_s))


def _mailtrap(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    return keep(lambda h, body, _n: hmac_signatures.verify_hex(h, body, "Mailtrap-Signature", source.secret))


def _mandrill(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    return keep(lambda h, body, _n: hmac_signatures.verify_mandrill(h, body, source.secret, source.url))


def _postal(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    key = key_signatures.rsa_key(source.public_key)
    return keep(lambda h, body, _n: key_signatures.verify_postal(h, body, key))


def _resend(source: Source, oldest_s: float, _certificates: Certificates) -> Check:
    key = hmac_signatures.standard_key(source.secret)
    return keep(lambda h, body, now_s: hmac_signatures.verify_standard(h, body, key, now_s, oldest_s))


def _sendgrid(source: Source, oldest_s: float, _certificates: Certificates) -> Check:
    key = key_signatures.elliptic_key(source.public_key)
    return keep(lambda h, body, now_s: key_signatures.verify_sendgrid(h, body, key, now_s, oldest_s))


def _ses(source: Source, oldest_s: float, certificates: Certificates) -> Check:
    def check(_headers: Headers, body: bytes, now_s: float) -> RequestVerdict:
        message = sns.read_message(body)
        sns.check_topic(message, source.topic_arn)
        sns.verify_sns(message, certificates.key(message.signing_cert_url), now_s, oldest_s)
        match message.type:
            case "SubscriptionConfirmation":
                return "confirm"
            case "UnsubscribeConfirmation":
                return "unsubscribed"
            case _:
                return "keep"

    return check


def _socketlabs(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    return keep(lambda _h, body, _n: body_secrets.verify_socketlabs(body, source.secret))


def _unisender(source: Source, _oldest_s: float, _certificates: Certificates) -> Check:
    return keep(lambda _h, body, _n: body_secrets.verify_unisender(body, source.secret))


SCHEMES: Mapping[str, Scheme] = {
    "mailersend": Scheme("secret", _mailersend),
    "mailgun": Scheme("secret", _mailgun, DAY_S, token=hmac_signatures.mailgun_token),
    "mailtrap": Scheme("secret", _mailtrap),
    "mandrill": Scheme("secret", _mandrill),
    "postal": Scheme("public_key", _postal),
    "resend": Scheme("secret", _resend, TRY_S),
    "sendgrid": Scheme("public_key", _sendgrid, DAY_S),
    "ses": Scheme("topic_arn", _ses, DAY_S, slow=True),
    "socketlabs": Scheme("secret", _socketlabs),
    "unisender": Scheme("secret", _unisender),
}
