"""Webhooks signed with a shared secret, and those that carry it: what fits is trusted, anything else is not."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.collect.body_secrets import verify_socketlabs, verify_unisender
from api.collect.hmac_signatures import (
    MAILERSEND_TEST_SECRET,
    is_mailersend_test,
    standard_key,
    verify_hex,
    verify_mailgun,
    verify_mandrill,
    verify_standard,
)
from api.collect.signature import Headers, KeyFormatError, SignatureError, check_age
from tests.support import signing
from tests.support.signing import NOW_S, SECRET, STANDARD_SECRET

URL = "https://hooks.esp.example/collect/mandrill/shop"
BODY = b'{"type":"email.delivered","data":{"to":["ann@example.com"]}}'
FIELDS = {"mandrill_events": '[{"event":"hard_bounce"}]', "a": "1"}
FORM = urlencode(FIELDS).encode()
UNISENDER = signing.unisender('[{"user_id":7}]')


def check_standard(headers: Headers, body: bytes) -> None:
    verify_standard(headers, body, standard_key(STANDARD_SECRET), NOW_S, 300)


def check_mandrill(headers: Headers, body: bytes) -> None:
    verify_mandrill(headers, body, SECRET, URL)


def check_mailersend(headers: Headers, body: bytes) -> None:
    verify_hex(headers, body, "Signature", SECRET)


def check_mailtrap(headers: Headers, body: bytes) -> None:
    verify_hex(headers, body, "Mailtrap-Signature", SECRET)


def check_unisender(_headers: Headers, body: bytes) -> None:
    verify_unisender(body, SECRET)


#: A check, headers that fit, the body they fit.
SIGNED: list[tuple[Callable[[Headers, bytes], None], Headers, bytes]] = [
    (check_standard, signing.standard(BODY), BODY),
    (check_standard, signing.standard(BODY, name="webhook"), BODY),
    (check_mailersend, signing.body_hmac(BODY, "signature"), BODY),
    (check_mailtrap, signing.body_hmac(BODY, "mailtrap-signature"), BODY),
    (check_mandrill, signing.mandrill(URL, FIELDS), FORM),
    (check_unisender, {}, UNISENDER),
]
BY_HEADER = [each for each in SIGNED if each[1]]


@pytest.mark.parametrize(("check", "headers", "body"), SIGNED)
def test_what_the_provider_signed_is_trusted(
    check: Callable[[Headers, bytes], None], headers: Headers, body: bytes
) -> None:
    check(headers, body)


@given(signed=st.sampled_from(SIGNED), at=st.integers(min_value=0), flip=st.integers(1, 255))
def test_no_byte_of_the_body_can_be_another(
    signed: tuple[Callable[[Headers, bytes], None], Headers, bytes], at: int, flip: int
) -> None:
    check, headers, body = signed
    at %= len(body)
    changed = body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]
    if check is check_mandrill and same_fields(changed):
        return
    if check is check_unisender and changed.lower() == body.lower():
        return  # hex digits are the same in either case
    with pytest.raises(SignatureError):
        check(headers, changed)


def same_fields(form: bytes) -> bool:
    """The fields are signed, not how they are written (`+` and `%20`, digits in `%2C` and `%2c`)."""
    from streams.adapt.base import AdaptError
    from streams.adapt.form import form_fields

    try:
        return form_fields(form) == form_fields(FORM)
    except AdaptError:
        return False


@given(signed=st.sampled_from(BY_HEADER), data=st.data())
def test_no_character_of_a_header_can_be_another(
    signed: tuple[Callable[[Headers, bytes], None], Headers, bytes], data: st.DataObject
) -> None:
    check, headers, body = signed
    name = data.draw(st.sampled_from(sorted(headers)))
    value = headers[name]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = value[:at] + other + value[at + 1 :]
    if changed.lower() == value.lower():
        return
    with pytest.raises(SignatureError):
        check({**headers, name: changed}, body)


@pytest.mark.parametrize(("check", "headers", "body"), BY_HEADER)
def test_header_that_is_missing_is_named(
    check: Callable[[Headers, bytes], None], headers: Headers, body: bytes
) -> None:
    for name in headers:
        rest = {key: value for key, value in headers.items() if key != name}
        with pytest.raises(SignatureError, match="there is no header"):
            check(rest, body)


def test_one_of_several_signatures_is_enough_while_a_secret_is_changed() -> None:
    headers = signing.standard(BODY)
    headers["svix-signature"] = "v1,AAAA v2,zzz " + headers["svix-signature"]
    check_standard(headers, BODY)


def test_signature_of_another_version_is_none() -> None:
    headers = signing.standard(BODY)
    headers["svix-signature"] = headers["svix-signature"].replace("v1,", "v1a,")
    with pytest.raises(SignatureError):
        check_standard(headers, BODY)


@pytest.mark.parametrize("secret", ["whsec_", "", "whsec_not base64", "ünïcode"])
def test_secret_that_is_no_key_is_refused(secret: str) -> None:
    with pytest.raises(KeyFormatError):
        standard_key(secret)


def mailgun_body(**changes: str) -> bytes:
    return json.dumps({"signature": signing.mailgun() | changes, "event-data": {"event": "delivered"}}).encode()


def test_mailgun_signs_time_and_token_in_the_body() -> None:
    verify_mailgun(mailgun_body(), SECRET, NOW_S, 300)
    verify_mailgun(urlencode(signing.mailgun() | {"event": "dropped"}).encode(), SECRET, NOW_S, 300)


def test_mailgun_takes_the_main_accounts_signature_for_a_subaccount() -> None:
    signed = signing.mailgun()
    verify_mailgun(mailgun_body(signature="0" * 64, **{"parent-signature": signed["signature"]}), SECRET, NOW_S, 300)


@pytest.mark.parametrize("name", ["timestamp", "token", "signature"])
@given(data=st.data())
def test_mailgun_takes_no_other_time_token_or_signature(name: str, data: st.DataObject) -> None:
    value = signing.mailgun()[name]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.sampled_from("0123456789abcdef").filter(lambda digit: digit != value[at]))
    with pytest.raises(SignatureError):
        verify_mailgun(mailgun_body(**{name: value[:at] + other + value[at + 1 :]}), SECRET, NOW_S, 86_400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"signature":"x"}',
        b'{"signature":{"timestamp":1.5,"token":"a","signature":"b"}}',
        b"timestamp=1&token=2",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"signature":{"timestamp":"1","token":"\\ud800","signature":"\\ud800"}}',
    ],
)
def test_body_without_its_proof_is_refused(body: bytes) -> None:
    with pytest.raises(SignatureError):
        verify_mailgun(body, SECRET, NOW_S, 300)
    with pytest.raises(SignatureError):
        verify_socketlabs(body, SECRET)
    with pytest.raises(SignatureError):
        verify_unisender(body, SECRET)
    with pytest.raises(SignatureError):
        verify_mandrill(signing.mandrill(URL, FIELDS), body, SECRET, URL)


def test_mandrill_signs_the_address_too() -> None:
    with pytest.raises(SignatureError):
        verify_mandrill(signing.mandrill(URL, FIELDS), FORM, SECRET, URL + "/")


def test_socketlabs_sends_the_secret_itself() -> None:
    verify_socketlabs(json.dumps({"Type": "Failed", "SecretKey": SECRET}).encode(), SECRET)
    verify_socketlabs(urlencode({"Type": "Failed", "SecretKey": SECRET}).encode(), SECRET)
    for wrong in ("", SECRET[:-1], SECRET + "x", SECRET.upper()):
        with pytest.raises(SignatureError):
            verify_socketlabs(json.dumps({"SecretKey": wrong}).encode(), SECRET)


def test_mailersends_test_of_an_address_is_known_by_type_and_public_secret() -> None:
    ping = b'{"type":"webhook.test","message":"ping"}'
    assert is_mailersend_test(signing.body_hmac(ping, "signature", MAILERSEND_TEST_SECRET), ping)
    assert not is_mailersend_test(signing.body_hmac(BODY, "signature", MAILERSEND_TEST_SECRET), BODY)
    assert not is_mailersend_test(signing.body_hmac(ping, "signature"), ping)
    assert not is_mailersend_test({}, ping)


@pytest.mark.parametrize(
    ("age_s", "trusted"), [(0, True), (300, True), (301, False), (86_400, False), (-300, True), (-301, False)]
)
def test_signature_may_be_so_old_and_no_older(age_s: int, trusted: bool) -> None:
    if trusted:
        check_age(f"{NOW_S - age_s:.0f}", NOW_S, 300)
        return
    with pytest.raises(SignatureError, match=r"ago|future"):
        check_age(f"{NOW_S - age_s:.0f}", NOW_S, 300)
    with pytest.raises(SignatureError):
        verify_standard(signing.standard(BODY, NOW_S - age_s), BODY, standard_key(STANDARD_SECRET), NOW_S, 300)


@pytest.mark.parametrize("time", ["", "soon", "1e9", "-5", "1" * 13, "١٧٩٥", "nan"])
def test_time_that_is_no_number_of_seconds_is_refused(time: str) -> None:
    with pytest.raises(SignatureError, match="number of seconds"):
        check_age(time, NOW_S, 300)
