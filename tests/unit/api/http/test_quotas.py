"""How many requests a key may send, and what it is told."""

import math

from hypothesis import given
from hypothesis import strategies as st

from api.http.quotas import Left, Quota, Quotas

MINUTE = Quota(60)


def test_quota_may_come_at_once_and_fills_evenly() -> None:
    quotas = Quotas()
    assert [quotas.take("a", MINUTE, 0.0).remaining for _ in range(60)] == list(range(59, -1, -1))
    assert quotas.take("a", MINUTE, 0.5) == Left(remaining=0, reset_s=60, retry_s=1)
    assert quotas.take("a", MINUTE, 1.5) == Left(remaining=0, reset_s=60, retry_s=0)
    assert quotas.take("a", MINUTE, 61.5).remaining == 59


def test_one_key_takes_nothing_from_another() -> None:
    quotas = Quotas()
    for _ in range(61):
        quotas.take("a", MINUTE, 0.0)
    assert quotas.take("b", MINUTE, 0.0).retry_s == 0


def test_header_fields_are_those_of_the_draft() -> None:
    assert Left(3, 57, 0).headers(MINUTE) == {
        "RateLimit-Policy": '"requests";q=60;w=60',
        "RateLimit": '"requests";r=3;t=57',
    }
    assert Left(0, 60, 7).headers(MINUTE)["Retry-After"] == "7"


@given(st.integers(1, 100), st.lists(st.floats(0, 30), max_size=200))
def test_no_more_than_the_quota_and_what_fills_meanwhile_is_taken(requests: int, pauses: list[float]) -> None:
    quotas, quota, now, taken = Quotas(), Quota(requests), 0.0, 0
    for pause in pauses:
        now += pause
        taken += not quotas.take("a", quota, now).retry_s
    assert taken <= requests + math.floor(now * requests / 60 + 1e-6)


@given(st.integers(1, 100), st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_who_comes_again_when_told_to_is_answered(requests: int, pauses: list[float]) -> None:
    quotas, quota, now = Quotas(), Quota(requests), 0.0
    for pause in pauses:
        now += pause
        if retry_s := quotas.take("a", quota, now).retry_s:
            now += retry_s
            assert not quotas.take("a", quota, now).retry_s
