"""Bodies that gzip packed: all of them, no more than is agreed on, and nothing of what is broken."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.collect.body import NotGzipError, TooLargeError, unpacked


@given(st.lists(st.binary(max_size=200_000), min_size=1, max_size=3))
def test_every_body_comes_back(members: list[bytes]) -> None:
    whole = b"".join(members)
    packed = b"".join(gzip.compress(each, 1) for each in members)
    assert unpacked(packed, len(whole)) == whole
    if whole:
        with pytest.raises(TooLargeError):
            unpacked(packed, len(whole) - 1)


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_body_that_is_not_whole_is_refused(cut: int) -> None:
    with pytest.raises(NotGzipError):
        unpacked(gzip.compress(b'{"requestId": "7"}')[:-cut], 1_000)


@pytest.mark.parametrize("body", [b"{}", gzip.compress(b"x") + b"more", gzip.compress(b"x")[:-5] + b"\0" * 5])
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(NotGzipError):
        unpacked(body, 1_000)


def test_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = gzip.compress(bytes(30_000_000))
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        unpacked(bomb, 100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
