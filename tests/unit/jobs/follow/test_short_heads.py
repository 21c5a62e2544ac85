"""A file of which nothing was read yet when it was rotated: it is not known by how it begins."""

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.follow.place import identities
from tests.unit.jobs.follow.site import Site, began, ended


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def copied(site: Site) -> None:
    shutil.copyfile(site.path, site.path.with_name(f"mail.log.{len(list(site.path.parent.iterdir()))}"))
    os.truncate(site.path, 0)


def renamed(site: Site) -> None:
    site.rotate()


def message(number: int) -> str:
    return began(f"AB12C{number}") + ended(f"AB12C{number}")


@pytest.mark.parametrize("first", [copied, renamed])
@pytest.mark.parametrize("second", [copied, renamed])
def test_what_comes_between_two_rotations_while_nobody_looks_is_read(
    site: Site, first: Callable[[Site], None], second: Callable[[Site], None]
) -> None:
    """As where the machine is busy, or the broker is waited for."""
    site.write(message(1))
    site.start()
    site.step(2)
    first(site)
    for _ in range(3):
        site.step(2)
    site.write(message(2))
    second(site)
    site.write(message(3))
    for _ in range(4):
        site.step(2)
    assert sorted(site.sent) == ["AB12C1", "AB12C2", "AB12C3"]
    site.stop()


@pytest.mark.parametrize("there", [True, False])
def test_first_lines_of_an_empty_log_that_was_copied_and_cut_off_are_read(site: Site, there: bool) -> None:
    site.write(message(8), site.path.with_name("mail.log.2"))
    if there:
        site.path.touch()
    site.start()
    site.step(2)
    site.write(message(1))
    copied(site)
    site.step(2)
    site.write(message(2))
    for _ in range(4):
        site.step(2)
    assert site.sent == ["AB12C1", "AB12C2"], "and nothing of what was there before"
    site.stop()


def test_copy_of_a_first_log_that_is_not_cut_off_yet_is_not_read_twice(site: Site) -> None:
    site.path.touch()
    site.start()
    site.step(2)
    site.write(message(1))
    shutil.copyfile(site.path, site.path.with_name("mail.log.1"))
    site.step(2)
    os.truncate(site.path, 0)
    site.write(message(2))
    for _ in range(4):
        site.step(2)
    assert sorted(site.sent) == ["AB12C1", "AB12C2"]
    site.stop()


def test_older_part_that_is_compressed_meanwhile_is_none_that_came_since(site: Site) -> None:
    before = site.path.with_name("mail.log.1")
    site.write(message(8), before)
    site.path.touch()
    site.start()
    site.step(2)
    site.path.with_name("mail.log.2.gz").write_bytes(gzip.compress(before.read_bytes()))
    before.unlink()
    site.write(message(1))
    copied(site)
    for _ in range(4):
        site.step(2)
    assert site.sent == ["AB12C1"]
    site.stop()


@pytest.mark.parametrize("end", [Site.stop, Site.kill])
@pytest.mark.parametrize("second", [copied, renamed])
@pytest.mark.parametrize("there", [True, False])
def test_first_lines_that_were_written_and_rotated_while_it_was_stopped_are_read(
    site: Site, end: Callable[[Site], None], second: Callable[[Site], None], there: bool
) -> None:
    """It was stopped where nothing had been read yet, as right behind a rotation; so no file is known by its begin."""
    site.write(message(8), site.path.with_name("mail.log.2"))
    if there:
        site.path.touch()
    site.start()
    site.step(2)
    end(site)
    site.write(message(1))
    second(site)
    site.start()
    site.step(2)
    site.write(message(2))
    for _ in range(4):
        site.step(2)
    end(site)
    site.start()
    site.step(2)
    site.stop()
    assert site.sent == ["AB12C1", "AB12C2"], "and nothing of what was there before"


@pytest.mark.parametrize("end", [Site.stop, Site.kill])
@pytest.mark.parametrize("noticed", [0, 1, 40])
@pytest.mark.parametrize("second", [copied, renamed])
def test_restart_while_the_log_is_empty_behind_a_rotation_loses_nothing(
    site: Site, end: Callable[[Site], None], noticed: int, second: Callable[[Site], None]
) -> None:
    """Stopped before the rotation is noticed, after it, and when the copy is no longer looked at."""
    site.write(message(1))
    site.start()
    site.step(2)
    copied(site)
    for _ in range(noticed):
        site.step(2)
    end(site)
    site.start()
    end(site)
    site.write(message(2))
    second(site)
    site.start()
    site.step(2)
    site.write(message(3))
    for _ in range(4):
        site.step(2)
    site.stop()
    assert sorted(set(site.sent)) == ["AB12C1", "AB12C2", "AB12C3"]


@pytest.mark.parametrize("end", [None, Site.stop, Site.kill])
@pytest.mark.parametrize("second", [copied, renamed])
def test_log_that_was_cut_off_and_then_rotated_before_anybody_looked_loses_nothing(
    site: Site, end: Callable[[Site], None] | None, second: Callable[[Site], None]
) -> None:
    """The file that was read is then neither at its path nor what it was: the copy has what was not read yet."""
    site.write(message(1))
    site.start()
    site.step(2)
    site.write(message(2))
    copied(site)
    site.write(message(3))
    second(site)
    site.write(message(4))
    if end is not None:
        end(site)
        site.start()
    for _ in range(4):
        site.step(2)
    site.stop()
    assert sorted(set(site.sent)) == ["AB12C1", "AB12C2", "AB12C3", "AB12C4"]


def test_older_part_that_is_compressed_between_listing_and_opening_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by logrotate without `delaycompress`, before anything of the log was read."""
    site.path.touch()
    site.start()
    site.step(2)
    site.write(message(1))
    older = site.rotate()
    site.write(message(2))

    def compressed_just_then(path: Path) -> dict[Path, tuple[int, int]]:
        found = identities(path)
        if older in found:
            older.with_name(f"{older.name}.gz").write_bytes(gzip.compress(older.read_bytes()))
            older.unlink()
        return found

    site.kill()
    monkeypatch.setattr("jobs.follow.parts.identities", compressed_just_then)
    site.start()
    for _ in range(4):
        site.step(2)
    site.stop()
    assert site.sent == ["AB12C1", "AB12C2"]
