"""What a source of webhooks must be given, and whom it trusts then."""

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from api.collect.certificates import Certificates
from api.collect.credentials import CredentialsError
from api.collect.hmac_signatures import MAILERSEND_TEST_SECRET
from api.collect.schemes import DAY_S, SCHEMES
from api.collect.signature import Headers, SignatureError
from api.collect.sources import PreparedSource, prepare
from schemas.collect import Source
from schemas.settings import SettingsError
from streams.adapt import EVERY_FORMAT, FORMATS
from tests.support import signing
from tests.support.signing import NOW_S, SECRET

URL = "https://hooks.esp.example/collect/mandrill/shop"
BODY = b'{"event":"x"}'
FIELDS = {"mandrill_events": "[]"}

#: By format: settings of a source, headers and body that it trusts.
BELIEVED: dict[str, tuple[dict[str, str], Headers, bytes]] = {
    "mailersend": ({"secret": SECRET}, signing.body_hmac(BODY, "signature"), BODY),
    "mailgun": ({"secret": SECRET}, {}, json.dumps({"signature": signing.mailgun()}).encode()),
    "mailtrap": ({"secret": SECRET}, signing.body_hmac(BODY, "mailtrap-signature"), BODY),
    "mandrill": ({"secret": SECRET, "url": URL}, signing.mandrill(URL, FIELDS), urlencode(FIELDS).encode()),
    "postal": ({"public_key": signing.public_der(signing.RSA)}, signing.postal(BODY), BODY),
    "resend": ({"secret": signing.STANDARD_SECRET}, signing.standard(BODY), BODY),
    "sendgrid": ({"public_key": signing.public_der(signing.CURVE)}, signing.sendgrid(BODY), BODY),
    "ses": ({"topic_arn": signing.ARN}, {}, signing.sns_body()),
    "socketlabs": ({"secret": SECRET}, {}, json.dumps({"SecretKey": SECRET}).encode()),
    "unisender": ({"secret": SECRET}, {}, signing.unisender("[]")),
}
#: The same, signed with the time given.
TIMED: dict[str, Callable[[float], tuple[Headers, bytes]]] = {
    "mailgun": lambda time: ({}, json.dumps({"signature": signing.mailgun(time)}).encode()),
    "resend": lambda time: (signing.standard(BODY, time), BODY),
    "sendgrid": lambda time: (signing.sendgrid(BODY, time), BODY),
}


def source(form: str, **settings: Any) -> PreparedSource:
    certificates = Certificates(lambda _url: signing.certificate(), lambda: NOW_S)
    given = msgspec.convert({"format": form, **settings}, Source)
    return prepare({"shop": given}, certificates)["shop"]


def basic(user: str, password: str) -> Headers:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_source_that_takes_mail_needs_no_credentials_and_takes_nothing_else_then() -> None:
    made = source("arf", addresses=["fbl@esp.example"])
    assert made.addresses == ("fbl@esp.example",)
    with pytest.raises(CredentialsError, match="by LMTP alone"):
        made.check({}, BODY, NOW_S)
    with_token = source("arf", addresses=["fbl@esp.example"], token="t0ken")
    assert with_token.check({"authorization": "Bearer t0ken"}, BODY, NOW_S) == "keep"


def test_addresses_of_a_format_that_does_not_come_by_mail_are_refused() -> None:
    with pytest.raises(SettingsError, match="addresses is not used: the format postmark does not come by mail"):
        source("postmark", addresses=["a@esp.example"], token="t0ken")


def test_every_scheme_is_tried_here() -> None:
    assert set(BELIEVED) == set(SCHEMES)
    assert set(SCHEMES) < set(FORMATS)


@pytest.mark.parametrize("form", BELIEVED)
def test_source_trusts_its_provider_and_nobody_else(form: str) -> None:
    settings, headers, body = BELIEVED[form]
    ready = source(form, **settings)
    assert ready.check(headers, body, NOW_S) == "keep"
    with pytest.raises(SignatureError):
        ready.check({}, b'{"anything":"else"}', NOW_S)


def test_firehose_shows_its_access_key() -> None:
    ready = source("ses", token="an access key")
    key = {"x-amz-firehose-access-key": "an access key"}
    assert ready.check(key, b"{}", NOW_S) == "keep"
    assert ready.check({"authorization": "Bearer an access key"}, b"{}", NOW_S) == "keep"
    for headers in ({}, {"x-amz-firehose-access-key": "other"}, {"authorization": "Bearer other"}):
        with pytest.raises(CredentialsError):
            ready.check(headers, b"{}", NOW_S)
    with pytest.raises(SignatureError):
        source("ses", token="an access key", topic_arn=signing.ARN).check(key, b"{}", NOW_S)


@pytest.mark.parametrize("form", BELIEVED)
def test_source_without_what_it_checks_with_is_refused(form: str) -> None:
    needs = SCHEMES[form].needs
    with pytest.raises(SettingsError, match=rf"collect\.sources\.shop: {needs} is missing: {form} signs its webhooks"):
        source(form, user="me", password="pw")
    assert source(form, unsigned=True).check({}, b"anything", NOW_S) == "keep"


@pytest.mark.parametrize("form", [form for form in EVERY_FORMAT if form not in SCHEMES])
def test_format_that_signs_nothing_asks_for_credentials(form: str) -> None:
    with pytest.raises(SettingsError, match="set user and password, or token"):
        source(form)
    assert source(form, token="t").check({"authorization": "Bearer t"}, BODY, NOW_S) == "keep"
    assert source(form, unsigned=True).check({}, BODY, NOW_S) == "keep"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"form": "nope", "secret": "x"}, "there is no format 'nope'"),
        ({"form": "postmark", "secret": "x"}, "secret is not used: the format postmark signs nothing"),
        ({"form": "sendgrid", "secret": "x"}, "secret is not used: the format sendgrid needs public_key"),
        ({"form": "sendgrid", "public_key": "x"}, "public_key: neither PEM nor base64"),
        ({"form": "resend", "secret": "whsec_!"}, "secret: not base64"),
        ({"form": "mandrill", "secret": "x"}, "url is missing"),
        ({"form": "mailgun", "secret": "x", "url": URL}, "url is not used"),
        ({"form": "mailersend", "secret": "x", "tolerance_s": 5.0}, "tolerance_s is not used"),
        ({"form": "postmark", "user": "me"}, "user and password belong together"),
        ({"form": "postmark", "password": "pw"}, "user and password belong together"),
        ({"form": "postmark", "user": "me", "password": "pw", "token": "t"}, "either user and password, or token"),
    ],
)
def test_setting_that_protects_nothing_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        source(**settings)
    assert said in str(refused.value)
    assert str(refused.value).startswith("collect.sources.shop: ")


@pytest.mark.parametrize("form", TIMED)
def test_signature_may_be_as_old_as_the_format_or_the_source_says(form: str) -> None:
    settings, oldest_s = BELIEVED[form][0], SCHEMES[form].oldest_s or 0
    ready = source(form, **settings)
    ready.check(*TIMED[form](NOW_S - oldest_s), NOW_S)
    with pytest.raises(SignatureError, match="ago"):
        ready.check(*TIMED[form](NOW_S - oldest_s - 1), NOW_S)
    with pytest.raises(SignatureError, match="limit is 60"):
        source(form, **settings, tolerance_s=60.0).check(*TIMED[form](NOW_S - 61), NOW_S)


def test_a_request_that_is_replayed_comes_while_its_events_are_still_known() -> None:
    assert max(each.oldest_s or 0 for each in SCHEMES.values()) == DAY_S == 24 * 3600


@pytest.mark.parametrize(
    "headers",
    [{}, basic("me", "wrong"), basic("you", "pw"), {"authorization": "Basic"}, {"authorization": "Basic é"},
     {"authorization": "Bearer pw"}, {"authorization": "Basic " + "A" * 9}],
)  # fmt: skip
def test_wrong_user_or_password_is_refused_with_the_scheme_to_use(headers: Headers) -> None:
    ready = source("postmark", user="me", password="pw")
    assert ready.check(basic("me", "pw"), BODY, NOW_S) == "keep"
    with pytest.raises(CredentialsError) as refused:
        ready.check(headers, BODY, NOW_S)
    assert refused.value.scheme == "Basic"


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer x", "Bearer tokens", "Basic token", "token"])
def test_wrong_token_is_refused(given: str) -> None:
    ready = source("brevo", token="token")
    assert ready.check({"authorization": "bearer token"}, BODY, NOW_S) == "keep"
    with pytest.raises(CredentialsError):
        ready.check({"authorization": given}, BODY, NOW_S)


def test_credentials_are_asked_for_next_to_a_signature() -> None:
    settings, headers, body = BELIEVED["resend"]
    ready = source("resend", **settings, user="me", password="pw")
    assert ready.check({**headers, **basic("me", "pw")}, body, NOW_S) == "keep"
    for some in (headers, basic("me", "pw")):
        with pytest.raises(SignatureError):
            ready.check(some, body, NOW_S)


def test_mailersends_test_of_an_address_is_answered_and_not_kept() -> None:
    ping = b'{"type":"webhook.test"}'
    ready = source("mailersend", secret=SECRET)
    assert ready.check(signing.body_hmac(ping, "signature", MAILERSEND_TEST_SECRET), ping, NOW_S) == "ping"
    with pytest.raises(SignatureError):
        ready.check(signing.body_hmac(BODY, "signature", MAILERSEND_TEST_SECRET), BODY, NOW_S)


def test_sns_says_what_a_message_is() -> None:
    ready = source("ses", topic_arn=signing.ARN)
    assert ready.slow
    assert ready.check({}, signing.sns_body(Type="SubscriptionConfirmation"), NOW_S) == "confirm"
    assert ready.check({}, signing.sns_body(Type="UnsubscribeConfirmation"), NOW_S) == "unsubscribed"
    with pytest.raises(SignatureError, match="a different topic"):
        ready.check({}, signing.sns_body(TopicArn="arn:aws:sns:eu-central-1:1:theirs"), NOW_S)


def test_socketlabs_is_answered_with_the_key_it_showed() -> None:
    assert source("socketlabs", secret=SECRET).answer == SECRET
    assert source("socketlabs", secret=SECRET, unsigned=True).answer == ""
    assert source("mailgun", secret=SECRET).answer == ""
