"""Logs that are followed: through rotation and restarts, without loss or repeat."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.follow import log, state
from jobs.follow.log import LINGER_S, SETTLE_S
from jobs.follow.parts import parts_from
from jobs.follow.place import LogPlace, identities
from jobs.follow.source import FollowedFile
from jobs.follow.state import FollowError
from schemas.event import MAX_EVENT_BYTES
from tests.support.root import ROOT
from tests.unit.jobs.follow.site import Site, began, ended


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_is_there_and_what_comes_is_sent(site: Site) -> None:
    site.write(began("AB12C3") + ended("AB12C3"))
    site.start()
    site.step()
    site.write(began("AB12C4", "larkspur") + ended("AB12C4"))
    site.step(2)
    assert site.customers == {"AB12C3": "acme", "AB12C4": "larkspur"}
    site.stop()


def test_line_without_its_end_waits_for_it(site: Site) -> None:
    line = ended("AB12C3")
    site.write(began("AB12C3") + line[:60])
    site.start()
    site.step(2)
    assert site.sent == []
    site.write(line[60:])
    site.step(2)
    assert site.sent == ["AB12C3"]
    site.stop()


def renamed(site: Site) -> None:
    site.rotate()


def renamed_by_date(site: Site) -> None:
    site.path.rename(site.path.with_name("mail-20250303.log"))
    site.path.touch()


def copied(site: Site) -> None:
    shutil.copyfile(site.path, site.path.with_name("mail.log.1"))
    os.truncate(site.path, 0)


def compressed(site: Site) -> None:
    older = site.rotate()
    older.with_name("mail.log-20250303.gz").write_bytes(gzip.compress(older.read_bytes()))
    older.unlink()


@pytest.mark.parametrize("rotate", [renamed, renamed_by_date, copied, compressed])
@pytest.mark.parametrize("runs", [True, False], ids=["while it runs", "while it does not"])
@pytest.mark.parametrize("end", [Site.stop, Site.kill])
def test_rotation_loses_and_repeats_nothing(
    site: Site, rotate: Callable[[Site], None], runs: bool, end: Callable[[Site], None]
) -> None:
    """A message whose first lines are in the older file keeps its customer, across a restart too."""
    site.write(began("AB12C3") + ended("AB12C3") + began("AB12C4", "larkspur"))
    site.start()
    site.step(2)
    if not runs:
        end(site)
    site.write(began("AB12C5", "brightleaf"))
    rotate(site)
    site.write(ended("AB12C4") + ended("AB12C5"))
    if not runs:
        site.start()
    site.step(SETTLE_S)
    site.step(2)
    end(site)
    site.write(began("AB12C6") + ended("AB12C6"))
    site.start()
    site.step(2)
    site.step(2)
    assert sorted(site.sent) == ["AB12C3", "AB12C4", "AB12C5", "AB12C6"]
    assert site.customers == {"AB12C3": "acme", "AB12C4": "larkspur", "AB12C5": "brightleaf", "AB12C6": "acme"}
    site.stop()


def test_several_rotations_while_it_does_not_run(site: Site) -> None:
    site.write(began("AB12C1") + ended("AB12C1") + began("AB12C2", "larkspur"))
    site.start()
    site.step(2)
    site.stop()
    for number in range(2, 6):
        site.rotate()
        site.write(ended(f"AB12C{number}") + began(f"AB12C{number + 1}", "larkspur"))
    site.start()
    site.step(2)
    site.step(2)
    assert site.sent == [f"AB12C{number}" for number in range(1, 6)]
    assert set(site.customers.values()) == {"acme", "larkspur"}
    site.stop()


def test_writer_that_has_not_noticed_the_rotation_is_read_on(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step(2)
    older = site.rotate()
    site.write(began("AB12C4"))
    site.step(SETTLE_S)
    site.step(2)
    site.write(ended("AB12C3"), older)
    site.step(2)
    assert site.sent == ["AB12C3"]
    site.stop()
    site.write(ended("AB12C5"), older)
    site.start()
    site.step(2)
    assert site.sent == ["AB12C3", "AB12C5"]
    site.step(2 * LINGER_S)
    site.stop()


def test_file_that_is_gone_is_begun_anew_and_said(site: Site) -> None:
    site.write(began("AB12C3") + ended("AB12C3"))
    site.start()
    site.step(2)
    site.stop()
    site.path.unlink()
    site.write("x" * 5 + "\n" + began("AB12C4") + ended("AB12C4"))
    follower = site.start()
    assert not follower.log.found
    site.step(2)
    assert site.sent == ["AB12C3", "AB12C4"]
    site.stop()


def test_file_that_comes_later_is_read_from_its_beginning(site: Site) -> None:
    site.start()
    site.step(2)
    site.write(began("AB12C3") + ended("AB12C3"))
    site.step(2)
    site.step(2)
    assert site.customers == {"AB12C3": "acme"}
    site.stop()


def test_place_is_kept_only_once_all_is_acknowledged(site: Site) -> None:
    site.write(began("AB12C3") + ended("AB12C3"))
    site.reachable = False
    site.start()
    site.step(2)
    site.kill()
    site.reachable = True
    site.start()
    site.step(2)
    assert site.sent == ["AB12C3"]
    site.stop()


def test_what_cannot_be_read_is_told_and_kept_as_it_is(site: Site) -> None:
    site.write("no line of a log\n" + "x" * (MAX_EVENT_BYTES + 10) + "\n" + began("AB12C3") + ended("AB12C3"))
    follower = site.start()
    site.step(2)
    site.step(2)
    assert site.sent == ["AB12C3"]
    assert [unread.offset for unread in site.told] == [17, MAX_EVENT_BYTES + 28]
    assert "does not begin like a line" in site.told[0].reason
    assert site.told[1].reason == "the line is longer than 1,000,000 bytes"
    assert follower.store.unread.read_bytes().startswith(b"no line of a log\n")
    site.stop()


def test_file_that_is_being_compressed_when_it_looks_first_is_found_at_the_next_look(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory's place is in it, the last place in the one behind it, which is there: 30 of 1,798 outcomes of one run
    had lost their customers."""
    site.write(began("AB12C3"))
    site.start()
    site.step(2)
    site.stop()
    site.start()
    site.write(began("AB12C4", "larkspur"))
    site.step(2)
    site.rotate()
    site.write(began("AB12C5") + ended("AB12C5"))
    for _ in range(3):
        site.step(SETTLE_S)
    assert site.sent == ["AB12C5"]
    site.kill()
    looks: list[Path] = []

    def at_first_without_it(path: Path, place: LogPlace | None) -> tuple[list[FollowedFile], bool]:
        looks.append(path)
        return parts_from(path, place) if len(looks) > 1 else (parts_from(path, None)[0][-1:], False)

    monkeypatch.setattr(log, "parts_from", at_first_without_it)
    site.write(ended("AB12C3") + ended("AB12C4"))
    site.start()
    for _ in range(3):
        site.step(SETTLE_S)
    assert site.customers == {"AB12C3": "acme", "AB12C4": "larkspur", "AB12C5": "acme"}
    assert site.sent.count("AB12C5") == 1
    site.stop()


def test_memory_of_another_version_is_made_anew_from_the_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(began("AB12C3", "larkspur"))
    site.start()
    site.step(2)
    site.stop()
    monkeypatch.setattr(state, "VERSION", "another")
    site.write(ended("AB12C3"))
    site.start()
    site.step(2)
    assert site.customers == {"AB12C3": "larkspur"}
    site.stop()


def test_one_process_follows_a_log(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    with pytest.raises(FollowError, match=r"mail\.log: is followed by another process already"):
        site.start()


def test_place_of_another_format_is_an_error(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step(2)
    site.stop()
    with pytest.raises(FollowError, match=r"was followed as `postfix`; remove .*place to begin anew"):
        site.start("exim")


def test_place_that_cannot_be_read_is_an_error(site: Site) -> None:
    site.write(began("AB12C3"))
    site.start()
    site.step(2)
    site.stop()
    (kept,) = site.state.glob("*.place")
    kept.write_text("{")
    with pytest.raises(FollowError, match=r"cannot be read: .*; without it the log is read anew"):
        site.start()


def test_nothing_is_in_a_folder_that_is_not_there() -> None:
    folder = ROOT / "no such folder"
    assert identities(folder / "mail.log") == {}


@pytest.mark.parametrize(
    ("name", "is_older"),
    [
        ("mail.log.1", True),
        ("mail.log-20250303.gz", True),
        ("mail-20250303.log", True),
        ("mail.log", False),
        ("mail.err.1", False),
        ("mail.log.offset", False),
        ("mailman-20250303.log", False),
    ],
)
def test_names_of_older_parts(tmp_path: Path, name: str, is_older: bool) -> None:
    (tmp_path / name).touch()
    log = tmp_path / "mail.log"
    assert (identities(log).keys() - {log} != set()) is is_older


def test_hundred_kills_lose_nothing_and_attribute_nothing_wrongly() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.faults.follow_killed", "--kills", "100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "missing=0, wrong=0" in found.stdout, found
