"""How far a log was read: the file by what it is, not by its name, and the bytes of it that are done.

A rotated log has another name, a copied one another inode, a compressed one other bytes; what stays the same is how it
begins.
"""

import os
from hashlib import blake2b
from io import BufferedReader
from pathlib import Path

import msgspec

#: Bytes at the beginning of a file that it is known by: in a log those tell times and ids.
HEAD_BYTES = 1_024


class Place(msgspec.Struct, frozen=True):
    """A file and how far it was read.

    `head` is the digest (hex) of its first `head_bytes`, as they were when it was read; `offset` counts bytes of its
    content, decompressed. Device and inode tell it from another that begins alike.
    """

    device: int
    inode: int
    head: str
    head_bytes: int
    offset: int


def digest(head: bytes) -> str:
    """What a file is known by."""
    return blake2b(head, digest_size=16).hexdigest()


def begins_alike(place: Place, opened: BufferedReader) -> bool:
    """Whether a file begins as the one of a place did. Moves its position."""
    opened.seek(0)
    head = opened.read(place.head_bytes)
    return len(head) == place.head_bytes and digest(head) == place.head


def rotated_names(path: Path) -> list[Path]:
    """Files beside a log that may be older parts of it, the oldest first: `mail.log.1`, `mail.log-20250303.gz`,
    `mail-20250303.log`."""
    found: list[tuple[int, str, Path]] = []
    try:
        entries = list(os.scandir(path.parent))
    except OSError:
        return []
    for entry in entries:
        if _is_rotated(entry.name, path):
            try:
                if entry.is_file():
                    found.append((entry.stat().st_mtime_ns, entry.name, Path(entry.path)))
            except OSError:
                continue  # Gone since.
    return [each for _, _, each in sorted(found)]


def _is_rotated(name: str, path: Path) -> bool:
    if name == path.name:
        return False
    if name.startswith(path.name):
        rest = name[len(path.name) :]
        return rest[:1] in ".-_" and rest[1:2].isdigit()
    rest = name[len(path.stem) :] if name.startswith(path.stem) else ""
    return rest[:1] in ("-", "_", ".") and rest[1:2].isdigit() and path.suffix in rest
