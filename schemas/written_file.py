"""Files that people write, which are read as a whole: settings, policies, rules, lists, keys. One that is named by
mistake may be of any size, or have no end."""

import errno
from pathlib import Path

#: What a person writes is smaller, in bytes.
MOST_BYTES = 16_000_000


def read_written(file: Path | str, encoding: str = "utf-8", most: int = MOST_BYTES) -> str:
    """The text, its lines ended by line feeds.

    Raises:
        OSError: it cannot be read, or is larger than `most` bytes.
        UnicodeDecodeError: it is no such text.
    """
    return read_bounded(file, most).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def read_bounded(file: Path | str, most: int = MOST_BYTES) -> bytes:
    """What is in it.

    Raises:
        OSError: it cannot be read, or is larger than `most` bytes.
    """
    with Path(file).open("rb") as opened:
        found = opened.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"It is larger than {most:,} bytes", str(file))
    return found
