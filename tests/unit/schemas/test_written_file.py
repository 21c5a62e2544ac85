"""What people write is read as a whole, and what they named by mistake is not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.operator.customers import read_list
from schemas.blocklists import load_zones
from schemas.errors import InvalidInputError
from schemas.policy import load_policy
from schemas.settings_file import load_settings
from schemas.written_file import MOST_BYTES, read_bounded, read_written
from streams.bounces.classify import load_bounce_classifier

ENDLESS = Path("/dev/zero")
READERS: dict[str, Callable[[Path], object]] = {
    "settings": load_settings,
    "a policy": load_policy,
    "blocklists": load_zones,
    "rules of bounces": load_bounce_classifier,
    "customers": read_list,
}


@pytest.mark.parametrize("kind", READERS)
def test_file_without_an_end_is_refused_and_named(kind: str) -> None:
    with pytest.raises(InvalidInputError, match=r"/dev/zero.*larger than"):
        READERS[kind](ENDLESS)


def test_text_is_read_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes("a\r\nb\rc\n\xe4".encode())
    assert read_written(file) == file.read_text(encoding="utf-8")
    assert read_bounded(file) == file.read_bytes()


def test_as_much_as_is_allowed_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"x" * 10)
    assert len(read_bounded(file, 10)) == 10
    with pytest.raises(OSError, match="larger than 9 bytes"):
        read_bounded(file, 9)
    assert MOST_BYTES > 1_000_000
