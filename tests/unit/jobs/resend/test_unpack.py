"""Packed files: known by what they begin with, of several parts, without an end, damaged, and much larger unpacked."""

import bz2
import contextlib
import gzip
import io
import lzma
import struct
from collections.abc import Callable

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from jobs.resend.unpack import continued, unpacked
from streams.adapt import AdaptError

TEXT = b"".join(b"line %d of a log\n" % number for number in range(20_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "zstd": zstd.compress, "bzip2": bz2.compress, "xz": lzma.compress,
}  # fmt: skip
#: RFC 8878 section 3.1.2.
SKIPPABLE = struct.pack("<II", 0x184D2A50, 4) + b"abcd"


def read(raw: bytes) -> tuple[bytes, str]:
    """The text and what is wrong with the packing."""
    stream, packing = unpacked(io.BytesIO(raw), "log")
    return stream.read(), packing.problem


def test_text_is_read_as_it_is() -> None:
    assert read(TEXT) == (TEXT, "")
    assert read(b"a") == (b"a", "")
    assert read(b"") == (b"", "")


@pytest.mark.parametrize("name", PACKERS)
def test_parts_behind_one_another_are_read(name: str) -> None:
    pack = PACKERS[name]
    assert read(pack(TEXT)) == (TEXT, "")
    assert read(pack(TEXT) + pack(b"more\n")) == (TEXT + b"more\n", "")
    assert read(pack(b"")) == (b"", "")


@pytest.mark.parametrize("name", PACKERS)
def test_part_without_an_end_is_read_as_far_as_it_goes(name: str) -> None:
    pack = PACKERS[name]
    text, problem = read(pack(b"whole\n") + pack(TEXT)[:-10])
    assert text.startswith(b"whole\n")
    assert TEXT.startswith(text.removeprefix(b"whole\n"))
    assert problem == f"ends within a part that {name} packed: what came before was read"


def test_zstd_that_is_being_written_gives_what_was_flushed() -> None:
    """KumoMTA's segment of now."""
    writer = zstd.ZstdCompressor()
    packed = writer.compress(TEXT, writer.FLUSH_BLOCK)
    assert read(packed)[0] == TEXT


def test_frames_that_zstd_passes_over_hold_nothing() -> None:
    assert read(SKIPPABLE + zstd.compress(b"a\n") + SKIPPABLE + zstd.compress(b"b\n")) == (b"a\nb\n", "")


def test_padding_with_zeros_is_no_damage_and_anything_else_behind_is_told() -> None:
    assert read(gzip.compress(b"a\n") + bytes(512) + gzip.compress(b"b\n")) == (b"a\nb\n", "")
    assert read(gzip.compress(b"a\n") + b"b\n") == (
        b"a\n", "holds something behind what gzip packed, which was not read",
    )  # fmt: skip


def test_damage_costs_what_comes_behind_it() -> None:
    text, problem = read(gzip.compress(b"a\n") + gzip.compress(TEXT)[:50] + bytes(1_000))
    assert text.startswith(b"a\n")
    assert problem.startswith("is damaged: gzip cannot unpack it any further (")


def test_file_of_which_no_text_can_be_had_is_refused_with_its_name() -> None:
    with pytest.raises(AdaptError, match=r"^log: is damaged: zstd cannot unpack it"):
        unpacked(io.BytesIO(b"\x28\xb5\x2f\xfd" + b"\xff" * 100), "log")


@pytest.mark.parametrize("name", PACKERS)
def test_much_in_little_is_read_a_piece_at_a_time(name: str) -> None:
    """A gigabyte of zeros is a megabyte of gzip, and less of the others: no piece is larger than was asked for."""
    stream, packing = unpacked(io.BytesIO(PACKERS[name](bytes(20_000_000))))
    held = stream.read(100)
    assert held == bytes(100)
    assert len(packing._text) <= 65_536
    assert len(stream.read()) == 20_000_000 - 100


@given(st.sampled_from(sorted(PACKERS)), st.binary(max_size=300), st.binary(max_size=100))
def test_any_bytes_end(name: str, text: bytes, behind: bytes) -> None:
    """Whatever follows, what was packed is read, whatever its lines end with; and no error but ours is raised."""
    packed = PACKERS[name](text)
    found, _ = read(packed + behind)
    assert found.replace(b"\r", b"\n").startswith(text.replace(b"\r", b"\n"))
    with contextlib.suppress(AdaptError):
        read(packed[:6] + behind)


def test_what_was_read_already_comes_first() -> None:
    assert continued(b"a\nb", io.BytesIO(b"c\nd")).read() == b"a\nbc\nd"
