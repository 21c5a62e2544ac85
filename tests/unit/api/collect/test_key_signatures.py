"""Webhooks signed with a private key: SendGrid, Postal, and SNS with its certificates."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from api.collect.certificates import MOST_A_MINUTE, Certificates, FetchError
from api.collect.key_signatures import elliptic_key, rsa_key, verify_postal, verify_sendgrid
from api.collect.signature import Headers, KeyFormatError, SignatureError
from api.collect.sns import check_certificate_url, check_topic, confirmation_url, read_message, verify_sns
from tests.support import signing
from tests.support.signing import ARN, CERTIFICATE_URL, CURVE, HOST, NOW_S, RSA, SUBSCRIBE_URL

BODY = b'[{"event":"bounce","email":"ann@example.com"}]\r\n'


def check_sendgrid(headers: Headers, body: bytes) -> None:
    verify_sendgrid(headers, body, elliptic_key(signing.public_der(CURVE)), NOW_S, 300)


def check_postal(headers: Headers, body: bytes) -> None:
    verify_postal(headers, body, rsa_key(signing.public_pem(RSA)))


SIGNED: list[tuple[Callable[[Headers, bytes], None], Headers]] = [
    (check_sendgrid, signing.sendgrid(BODY)),
    (check_postal, signing.postal(BODY)),
    (check_postal, signing.postal(BODY, both=False)),
]


@pytest.mark.parametrize(("check", "headers"), SIGNED)
def test_what_the_provider_signed_is_trusted(check: Callable[[Headers, bytes], None], headers: Headers) -> None:
    check(headers, BODY)


@given(signed=st.sampled_from(SIGNED), at=st.integers(0, len(BODY) - 1), flip=st.integers(1, 255))
def test_no_byte_of_the_body_can_be_another(
    signed: tuple[Callable[[Headers, bytes], None], Headers], at: int, flip: int
) -> None:
    check, headers = signed
    with pytest.raises(SignatureError):
        check(headers, BODY[:at] + bytes([BODY[at] ^ flip]) + BODY[at + 1 :])


@given(signed=st.sampled_from(SIGNED), data=st.data())
def test_no_character_of_signature_or_time_can_be_another(
    signed: tuple[Callable[[Headers, bytes], None], Headers], data: st.DataObject
) -> None:
    check, headers = signed
    # Where Postal sends both, the older signature is not looked at.
    names = [name for name in sorted(headers) if not (name == "x-postal-signature" and len(headers) > 1)]
    name = data.draw(st.sampled_from(names))
    value = headers[name]
    last = len(value.rstrip("=")) - 1  # the last digit of base64 has bits that say nothing
    at = data.draw(st.integers(0, last - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != value[at]))
    with pytest.raises(SignatureError):
        check({**headers, name: value[:at] + other + value[at + 1 :]}, BODY)


def test_better_signature_of_postal_decides() -> None:
    wrong = signing.postal(BODY) | {"x-postal-signature-256": signing.postal(b"other")["x-postal-signature-256"]}
    with pytest.raises(SignatureError):
        check_postal(wrong, BODY)


def test_sendgrids_signature_grows_old() -> None:
    with pytest.raises(SignatureError, match="ago"):
        check_sendgrid(signing.sendgrid(BODY, NOW_S - 301), BODY)


def test_keys_are_read_as_providers_show_them() -> None:
    for text in (signing.public_der(CURVE), signing.public_pem(CURVE), f" {signing.public_der(CURVE)}\n"):
        assert elliptic_key(text).public_numbers() == CURVE.public_key().public_numbers()
    for text in (
        signing.public_der(RSA),
        signing.public_pem(RSA),
        f"v=DKIM1; t=s; h=sha256; p={signing.public_der(RSA)};",
    ):
        assert rsa_key(text).public_numbers() == RSA.public_key().public_numbers()


@pytest.mark.parametrize("text", ["", "x", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "é"])
def test_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError):
        elliptic_key(text)
    with pytest.raises(KeyFormatError):
        rsa_key(text)


def test_key_of_another_kind_is_refused() -> None:
    with pytest.raises(KeyFormatError, match="P-256"):
        elliptic_key(signing.public_der(RSA))
    with pytest.raises(KeyFormatError, match="P-256"):
        elliptic_key(signing.public_der(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(KeyFormatError, match="RSA"):
        rsa_key(signing.public_der(CURVE))


def check_sns(body: bytes, tolerance_s: float = 300) -> None:
    verify_sns(read_message(body), RSA.public_key(), NOW_S, tolerance_s)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Subject": "Amazon SES Email Event Notification"},
        {"Message": 'two\nlines "quoted" \\ back, ünïcode 🐦'},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "UnsubscribeConfirmation"},
    ],
)
def test_message_of_sns_is_trusted(version: str, changes: dict[str, str]) -> None:
    check_sns(signing.sns_body(version, **changes))


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Signature"])
@given(data=st.data())
def test_no_signed_field_of_sns_can_be_another(name: str, data: st.DataObject) -> None:
    message = signing.sns(Subject="a subject")
    value = message[name]
    at = data.draw(st.integers(0, len(value.rstrip("=")) - 2)) if len(value) > 2 else 0
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != value[at]))
    message[name] = value[:at] + other + value[at + 1 :]
    with pytest.raises(SignatureError):
        check_sns(json.dumps(message).encode())


def test_field_cannot_be_moved_into_another() -> None:
    """Fields are signed as lines, so that these two messages have the same text."""
    message = signing.sns(Subject="s")
    moved = {name: value for name, value in message.items() if name != "Subject"}
    moved["MessageId"] += "\nSubject\ns"
    with pytest.raises(SignatureError, match="line break"):
        check_sns(json.dumps(moved).encode())


def test_confirmation_cannot_be_sent_as_a_notification() -> None:
    message = signing.sns(Type="SubscriptionConfirmation") | {"Type": "Notification"}
    with pytest.raises(SignatureError):
        check_sns(json.dumps(message).encode())


def test_old_message_of_sns_is_refused() -> None:
    with pytest.raises(SignatureError, match="ago"):
        check_sns(signing.sns_body(Timestamp="2020-01-01T00:00:00.000Z"))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"Type":"Other"}'])
def test_what_is_no_message_of_sns_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureError, match="no message of SNS"):
        read_message(body)


def test_message_of_another_topic_is_refused() -> None:
    check_topic(read_message(signing.sns_body()), ARN)
    with pytest.raises(SignatureError, match="a different topic"):
        check_topic(read_message(signing.sns_body(TopicArn=ARN + "x")), ARN)


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL,
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-ab12.pem",
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-ab12.pem",
    ],
)
def test_certificates_are_taken_from_sns(url: str) -> None:
    check_certificate_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("https://", "https://me@"),
        CERTIFICATE_URL.replace(".com/", ".com.evil.example/"),
        CERTIFICATE_URL.replace(".com/", ".com:8443/"),
        CERTIFICATE_URL.replace("sns.", "evil-sns."),
        CERTIFICATE_URL.replace("sns.eu-central-1", "s3.eu-central-1"),
        CERTIFICATE_URL.replace("sns.eu-central-1", "sns.eu-central-1.s3"),
        "https://sns.evil.amazonaws.com/SimpleNotificationService-ab12.pem",
        CERTIFICATE_URL.replace("/Simple", "/bucket/Simple"),
        CERTIFICATE_URL + "?x=1",
        CERTIFICATE_URL + "#x",
        CERTIFICATE_URL + "\n",
        CERTIFICATE_URL.replace("/Simple", "\\@evil.example/Simple"),
        f"{HOST}/?Action=GetTopicAttributes",
        "https://sns.ëu-central-1.amazonaws.com/SimpleNotificationService-ab12.pem",
        "https://[::1/SimpleNotificationService-ab12.pem",
    ],
)
def test_certificates_are_taken_from_nowhere_else(url: str) -> None:
    with pytest.raises(SignatureError, match="not an address of SNS"):
        check_certificate_url(url)


def test_subscription_is_confirmed_at_sns_and_for_its_own_topic_only() -> None:
    assert confirmation_url(read_message(signing.sns_body(Type="SubscriptionConfirmation"))) == SUBSCRIBE_URL
    for url in (
        SUBSCRIBE_URL.replace("sns.", "evil."),
        SUBSCRIBE_URL.replace("ConfirmSubscription", "DeleteTopic"),
        SUBSCRIBE_URL.replace("mail-events", "others"),
        "https://127.0.0.1/?Action=ConfirmSubscription",
        "",
    ):
        with pytest.raises(SignatureError):
            confirmation_url(read_message(signing.sns_body(Type="SubscriptionConfirmation", SubscribeURL=url)))


class Amazon:
    """Stands in for SNS: counts what is asked of it."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body or signing.certificate()
        self.asked: list[str] = []
        self.now_s = NOW_S

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        return self.body

    def certificates(self) -> Certificates:
        return Certificates(self.fetch, lambda: self.now_s)


def test_certificate_is_fetched_once() -> None:
    amazon = Amazon()
    certificates = amazon.certificates()
    for _ in range(3):
        assert certificates.key(CERTIFICATE_URL).public_numbers() == RSA.public_key().public_numbers()
    assert amazon.asked == [CERTIFICATE_URL]


@pytest.mark.parametrize("days", [(-30.0, -1.0), (1.0, 30.0)])
def test_certificate_that_is_not_valid_now_is_refused(days: tuple[float, float]) -> None:
    with pytest.raises(SignatureError, match="not valid now"):
        Amazon(signing.certificate(days)).certificates().key(CERTIFICATE_URL)


def test_kept_certificate_ends_too() -> None:
    amazon = Amazon(signing.certificate((-1, 1)))
    certificates = amazon.certificates()
    certificates.key(CERTIFICATE_URL)
    amazon.now_s += 2 * 86_400
    with pytest.raises(SignatureError, match="not valid now"):
        certificates.key(CERTIFICATE_URL)


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(SignatureError, match="no certificate"):
        Amazon(b"<Error/>").certificates().key(CERTIFICATE_URL)


def test_nobody_makes_us_ask_for_certificates_without_end() -> None:
    amazon = Amazon()
    certificates = amazon.certificates()
    for number in range(MOST_A_MINUTE):
        certificates.key(f"{HOST}/SimpleNotificationService-{number}.pem")
    with pytest.raises(FetchError, match="within a minute"):
        certificates.key(f"{HOST}/SimpleNotificationService-more.pem")
    assert len(amazon.asked) == MOST_A_MINUTE
    certificates.key(amazon.asked[-1])  # what is kept is still known
    amazon.now_s += 61
    certificates.key(f"{HOST}/SimpleNotificationService-more.pem")


def test_address_that_is_not_of_sns_is_never_asked() -> None:
    amazon = Amazon()
    with pytest.raises(SignatureError):
        amazon.certificates().key("https://127.0.0.1/SimpleNotificationService-1.pem")
    assert amazon.asked == []
