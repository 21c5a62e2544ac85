"""Replacing a file as a whole: who reads it at any moment, or after a power cut, finds the old one or the new one."""

import os
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file, by one beside it (`NAME.new`). With `mode` those whom it names may read it, at no time others.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        if mode is not None:
            new.touch(0o600, exist_ok=False)
        with new.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:  # on a full disk half of a file only takes room
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
