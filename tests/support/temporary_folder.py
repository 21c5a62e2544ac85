"""Where tests keep their files for a while: in memory, where this machine has room there.

An embedded store makes a dozen files an INSERT, and a file system on a disk takes longer over them than the engine
does. No test asks for what only a disk can do, which is to outlive the machine.
"""

import os
import tempfile
from pathlib import Path

#: Linux only.
MEMORY = Path("/dev/shm")  # noqa: S108 - only for folders with random names, made by `tempfile` and pytest
#: Bytes that must be free: several times what the whole suite keeps at a time. A container has 64 MiB by default.
ROOM = 2 << 30


def keep_in_memory() -> None:
    """Let `tempfile`, pytest and all processes that are started from now on make their folders in memory. An own
    TMPDIR is left as it is."""
    if "TMPDIR" not in os.environ and _has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _has_room(folder: Path) -> bool:
    """Whether files can be made there, as many as are needed, and run: a test installs the package."""
    if not os.access(folder, os.W_OK):
        return False
    there = os.statvfs(folder)
    return not there.f_flag & os.ST_NOEXEC and there.f_bavail * there.f_frsize >= ROOM
