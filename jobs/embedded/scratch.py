"""A data folder that is gone afterwards, however the process that uses it ends."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: How long its removal is tried while this process lives, in s, and how long it waits between two tries.
REMOVE_S = 1.0
AGAIN_S = 0.05
#: Waits until its standard input is closed, by us or because we are gone, and removes the folder. Tried again, since
#: others who are ending too may still write into it.
SWEEPER = 'read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && exit; sleep 0.5; done'


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder in the system's temporary one, removed at the end. That never fails: while somebody still writes
    into it, as an engine does that could not be ended, it is removed once this process is gone, killed or not."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    sweeper = _sweeper(folder)
    try:
        yield folder
    finally:
        removed = remove(folder, REMOVE_S)
        if sweeper is not None and removed and sweeper.stdin is not None:
            with suppress(OSError):
                sweeper.stdin.close()
            sweeper.wait()


def remove(folder: Path, patience_s: float) -> bool:
    """Remove a folder with all that is in it, trying again for so long; whether it is gone."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(OSError):
            shutil.rmtree(folder)
        if not folder.exists():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(AGAIN_S)


def _sweeper(folder: Path) -> "subprocess.Popen[bytes] | None":
    """A shell that outlives us; None where there is none to start."""
    try:
        return subprocess.Popen(  # noqa: S603 - arguments of ours
            ["/bin/sh", "-c", SWEEPER, "sh", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A Ctrl-C in the terminal, and its end, are for us.
            start_new_session=True,
        )
    except OSError:
        return None
