"""Tokens that came before, for as long as their signature would be taken."""

import pytest

from api.collect.signature import AHEAD_S, SignatureError
from api.collect.used_tokens import UsedTokens

DAY_S = 86_400.0


def kept(tokens: UsedTokens, token: str, body: bytes, now_s: float) -> None:
    assert tokens.take(token, body, now_s) == "new"
    tokens.settle(token, kept=True)


def test_token_is_taken_with_one_body_only() -> None:
    tokens = UsedTokens(DAY_S)
    kept(tokens, "t1", b"a bounce", 0.0)
    with pytest.raises(SignatureError, match="its token came before, with another body"):
        tokens.take("t1", b"a complaint", 1.0)
    kept(tokens, "t2", b"a bounce", 1.0)


def test_same_request_again_is_known_and_while_it_is_being_kept_not_answered_yet() -> None:
    tokens = UsedTokens(DAY_S)
    assert tokens.take("t1", b"a bounce", 0.0) == "new"
    assert tokens.take("t1", b"a bounce", 0.1) == "busy"
    tokens.settle("t1", kept=True)
    assert tokens.take("t1", b"a bounce", 0.2) == "again"


def test_request_that_was_not_kept_may_come_again() -> None:
    tokens = UsedTokens(DAY_S)
    assert tokens.take("t1", b"a bounce", 0.0) == "new"
    tokens.settle("t1", kept=False)
    kept(tokens, "t1", b"a bounce", 1.0)


def test_token_is_remembered_for_its_lifetime_and_not_for_ever() -> None:
    tokens = UsedTokens(DAY_S)
    for hour in range(72):
        kept(tokens, f"t{hour}", b"", hour * 3600.0)
        if hour >= 24:
            assert tokens.take(f"t{hour - 24}", b"", hour * 3600.0) == "again"
    assert len(tokens._now) + len(tokens._before) <= 2 * (DAY_S + AHEAD_S) / 3600 + 2


def test_memory_is_bounded_and_the_latest_are_remembered() -> None:
    tokens = UsedTokens(DAY_S, most=10)
    for number in range(100):
        kept(tokens, f"t{number}", b"", float(number))
        assert len(tokens._now) + len(tokens._before) <= 20
        for earlier in range(max(0, number - 10), number):
            assert tokens.take(f"t{earlier}", b"", float(number)) == "again"
