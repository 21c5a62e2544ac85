"""Tokens for frames: what is signed with a key is read again, and nothing else is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.embedding import EmbedToken, is_signed, read_token, write_token

TOKEN = EmbedToken(key="0123456789abcdef", customer="acme", until_ms=1_773_316_800_000)


@given(st.text(max_size=256), st.integers(0, 2**60), st.text(max_size=64))
def test_what_is_written_is_believed_with_the_same_key_alone(customer: str, until: int, key_hash: str) -> None:
    token = EmbedToken(key="k", customer=customer, until_ms=until)
    found = read_token(write_token(token, key_hash))
    assert found is not None
    said, body, signature = found
    assert said == token
    assert is_signed(body, signature, key_hash)
    assert not is_signed(body, signature, f"{key_hash}x")


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading(text: str) -> None:
    read_token(text)


@pytest.mark.parametrize("text", ["", ".", "a.b", "e30.e30", "é.é", "x" * 3_000, "bnVsbA.bnVsbA"])
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(text) is None


def test_token_of_another_customer_has_another_signature() -> None:
    body = read_token(write_token(TOKEN, "hash"))
    other = read_token(write_token(EmbedToken(key=TOKEN.key, customer="rival", until_ms=TOKEN.until_ms), "hash"))
    assert body is not None and other is not None
    assert not is_signed(other[1], body[2], "hash")
