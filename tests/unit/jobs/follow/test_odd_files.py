"""Followed logs that are compressed, damaged, linked, replaced, or may not be read."""

import bz2
import errno
import gzip
import itertools
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.follow.follower import until_stopped
from jobs.follow.log import LINGER_S, SETTLE_S
from tests.unit.jobs.follow.site import Site, began, ended

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress), (".zst", zstd.compress)],
)
def test_what_was_rotated_and_compressed_meanwhile_is_read(
    site: Site, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step()
    site.stop()
    site.write(ended("AB12C3"))
    older = site.rotate()
    older.with_name(older.name + suffix).write_bytes(pack(older.read_bytes()))
    older.unlink()
    site.start()
    site.step()
    site.stop()
    assert site.customers == {"AB12C3": "acme"}


@pytest.mark.parametrize("written", [0, 20, 900])
def test_file_beside_its_half_written_compressed_form_is_read_once(site: Site, written: int) -> None:
    text = "".join(began(f"AB1{number}") + ended(f"AB1{number}") for number in range(1000, 1500))
    site.write(text)
    site.start()
    site.step()
    site.stop()
    site.events.clear()
    site.write(ended("AB11000"))
    older = site.rotate()
    older.with_name(older.name + ".gz").write_bytes(gzip.compress(text.encode())[:written])
    site.start()
    site.step()
    site.stop()
    assert site.sent == ["AB11000"]
    assert site.told == []


def test_damaged_rotated_file_is_told_of_and_stops_nothing(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step()
    site.stop()
    site.write(ended("AB12C3"))
    site.rotate()
    whole = gzip.compress(os.urandom(5000).hex().encode())
    damaged = site.path.with_name("mail.log.7.gz")
    damaged.write_bytes(whole[:-8] + bytes(8))
    cut = site.path.with_name("mail.log.8.gz")
    cut.write_bytes(gzip.compress(os.urandom(5000).hex().encode())[:-80])
    no_zstd = site.path.with_name("mail.log.9.zst")
    no_zstd.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([255]) * 50)
    site.write(began("AB12C4") + ended("AB12C4"))
    site.start()
    site.step(2)
    site.step(LINGER_S + 1)
    site.stop()
    assert site.sent == ["AB12C3", "AB12C4"]
    assert {each.path for each in site.told if "compressed" in each.reason} == {damaged, no_zstd, cut}


def test_log_that_is_replaced_by_a_longer_copy_goes_on(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step()
    copy = site.path.with_name("copy")
    copy.write_text(site.path.read_text() + ended("AB12C3"))
    copy.replace(site.path)
    site.step(SETTLE_S)
    site.stop()
    assert site.customers == {"AB12C3": "acme"}


def test_symbolic_link_finds_what_was_rotated_beside_its_target(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "postfix.log"
    target.parent.mkdir()
    site.path.symlink_to(target)
    site.write(began("AB12C3"))
    site.start()
    site.step()
    site.stop()
    site.write(ended("AB12C3"))
    target.rename(target.with_name("postfix.log.1"))
    site.write(began("AB12C4") + ended("AB12C4"))
    site.start()
    site.step(2)
    site.stop()
    assert site.sent == ["AB12C3", "AB12C4"]


def test_symbolic_link_to_a_file_of_each_day_goes_on(site: Site, tmp_path: Path) -> None:
    first, second = tmp_path / "mail-20250303.log", tmp_path / "mail-20250304.log"
    first.write_text(began("AB12C3"))
    site.path.symlink_to(first)
    site.start()
    site.step()
    site.stop()
    site.write(ended("AB12C3"))
    second.write_text(began("AB12C4") + ended("AB12C4"))
    site.path.unlink()
    site.path.symlink_to(second)
    site.start()
    site.step(2)
    site.stop()
    assert site.sent == ["AB12C3", "AB12C4"]


def test_file_that_may_not_be_read_is_told_of_and_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step()
    site.rotate()
    site.write(began("AB12C4") + ended("AB12C4"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused(Path.open, errno.EACCES, "mail.log"))
        site.step(SETTLE_S)
        site.step(SETTLE_S)
        assert {(each.path, each.reason) for each in site.told} == {(site.path, "waiting: Permission denied")}
    site.step(SETTLE_S)
    site.stop()
    assert site.sent == ["AB12C4"]


def test_full_disk_is_told_of_and_the_place_kept_later(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(began("AB12C3") + ended("AB12C3"))
    follower = site.start()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused(Path.open, errno.ENOSPC, f"{follower.store.place.name}.new"))
        site.step(2)
    assert [(each.path.name, each.reason) for each in site.told] == [
        (f"{follower.store.place.name}.new", "the place cannot be kept: No space left on device")
    ]
    site.write(began("AB12C4"))
    site.step(2)
    assert follower.store.places() == follower.log.places
    site.stop()


def test_stop_while_the_broker_is_away_says_that_not_all_is_kept(site: Site) -> None:
    site.write(began("AB12C3") + ended("AB12C3"))
    follower = site.start()
    site.reachable = False
    assert not until_stopped([follower], lambda: site.now, stops_after(1))
    assert follower.store.places() == ()
    site.kill()


def stops_after(steps: int) -> Callable[[float], bool]:
    """Waits not at all, and is over after so many steps."""
    answers = itertools.chain(itertools.repeat(False, steps), itertools.repeat(True))
    return lambda _seconds: next(answers)


def refused(opened: Callable[..., Any], number: int, name: str) -> Callable[..., Any]:
    """Opens every file but one."""

    def open_(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == name:
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **options)

    return open_
