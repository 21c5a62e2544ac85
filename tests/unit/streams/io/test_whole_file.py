"""A file is replaced as a whole, or stays as it was with nothing beside it."""

from pathlib import Path

import pytest

from streams.io.whole_file import replace_file


@pytest.mark.parametrize("mode", [None, 0o600])
def test_file_is_replaced_and_nothing_stays_beside_it(mode: int | None, tmp_path: Path) -> None:
    target = tmp_path / "place"
    for content in (b"one", b"two"):
        replace_file(target, content, mode)
        assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("place", content)]


@pytest.mark.parametrize("mode", [None, 0o600])
def test_where_it_cannot_be_replaced_no_half_stays(mode: int | None, tmp_path: Path) -> None:
    target = tmp_path / "place"
    target.mkdir()
    (target / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        replace_file(target, b"new", mode)
    assert [each.name for each in tmp_path.iterdir()] == ["place"]
