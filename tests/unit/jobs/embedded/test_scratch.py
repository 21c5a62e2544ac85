"""A data folder that is gone afterwards, whatever still writes into it and however its process ends."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.embedded import scratch
from jobs.embedded.scratch import scratch_folder
from tests.support.root import ROOT
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_folder_is_gone_afterwards_with_what_is_in_it(temporary: Path) -> None:
    with scratch_folder("scratch-") as folder:
        (folder / "deep" / "deeper").mkdir(parents=True)
        (folder / "deep" / "file").write_text("text")
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []


def test_error_of_the_user_passes_and_the_folder_is_gone(temporary: Path) -> None:
    with pytest.raises(ValueError, match="mine"), scratch_folder("scratch-"):
        raise ValueError("mine")
    assert list(temporary.iterdir()) == []


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Called with a number: so many times the folder cannot be removed, as when an engine still merges in it."""

    def made_full(times: int) -> None:
        left = iter(range(times))

        def rmtree(folder: Path) -> None:
            if next(left, None) is not None:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), "hourly_1.tmp_proj")
            removed(folder)

        removed = shutil.rmtree
        monkeypatch.setattr(shutil, "rmtree", rmtree)

    return made_full


def test_folder_that_is_not_empty_at_first_is_removed_a_little_later(
    temporary: Path, full: Callable[[int], None]
) -> None:
    full(2)
    with scratch_folder("scratch-"):
        pass
    assert list(temporary.iterdir()) == []


def test_folder_that_stays_full_fails_nothing(
    temporary: Path, full: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "REMOVE_S", 0.1)
    full(1_000_000)
    with scratch_folder("scratch-") as folder:
        pass
    assert list(temporary.iterdir()) == [folder]


WRITES_ON = """
import shutil, sys, tempfile, threading
from jobs.embedded import scratch

def rmtree(folder):
    raise OSError("an engine merges in it")

def write():
    while True:
        try:
            (folder / "part").mkdir(exist_ok=True)
            (folder / "part" / "column").write_text("text")
        except OSError:
            pass

tempfile.tempdir = sys.argv[1]
scratch.REMOVE_S = 0.1
shutil.rmtree = rmtree
with scratch.scratch_folder("scratch-") as folder:
    threading.Thread(target=write, daemon=True).start()
    print("there", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("end", ["as usual", "killed"])
def test_folder_in_which_its_process_writes_to_the_last_is_gone_after_it(temporary: Path, end: str) -> None:
    command = [sys.executable, "-c", WRITES_ON, str(temporary)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "there\n"
        assert len(list(temporary.iterdir())) == 1
        if end == "killed":
            user.kill()
        user.communicate("\n")
    assert user.returncode == (-signal.SIGKILL if end == "killed" else 0)
    wait_for(lambda: list(temporary.iterdir()) == [], "the folder to be gone")
