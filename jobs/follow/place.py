"""How far a log was read: the file by what it is, not by its name, and the bytes of it that are done.

A rotated log has another name, a copied one another inode, a compressed one other bytes; what stays the same is how it
begins.
"""

import os
import stat
from hashlib import blake2b
from pathlib import Path

import msgspec

#: Bytes at the beginning of a file that it is known by: in a log those tell times and ids.
HEAD_BYTES = 1_024


class LogPlace(msgspec.Struct, frozen=True):
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


class SegmentPlaces(msgspec.Struct, frozen=True):
    """How far the segments in a folder were read, by their names.

    `open` has those that may still grow, with bytes of their content, decompressed. `done` has the last that are done,
    and up to the name `through` all others are: so a segment whose name is a little older than that of another is read
    too, as after a clock was set back, and what is kept stays small.
    """

    open: dict[str, int]
    done: frozenset[str]
    through: str

    def is_done(self, name: str) -> bool:
        """Whether it was read to its end."""
        return name in self.done or (name <= self.through and name not in self.open)


#: What rotation appends to the name of a file that it compresses.
_PACKED_SUFFIXES = (".gz", ".xz", ".bz2", ".zst")


def identities(path: Path) -> dict[Path, tuple[int, int]]:
    """Files that may be older parts of a log, the oldest first, and the log itself last where it is there, each with
    device and inode.

    Older parts are beside the log (`mail.log.1`, `mail.log-20250303.gz`, `mail-20250303.log`), and where its name is a
    symbolic link also beside what that points to.

    Raises:
        OSError: the folder cannot be listed, so that nobody knows what was rotated.
    """
    found: dict[Path, tuple[int, tuple[int, int]]] = {}
    log, target = _identity(path), Path(os.path.realpath(path))
    names = {path, target}
    for folder in dict.fromkeys(each.parent for each in (path, target)):
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if any(_is_rotated(entry.name, each) for each in names):
                try:
                    status = entry.stat()
                except OSError:
                    continue  # Gone since.
                identity = status.st_dev, status.st_ino
                if stat.S_ISREG(status.st_mode) and identity != log:
                    found[Path(entry.path)] = status.st_mtime_ns, identity
    older = sorted(found, key=lambda each: (found[each][0], each.name))
    # A file that stands beside its compressed form is being compressed just now.
    kept = {
        each: found[each][1]
        for each in older
        if not (each.suffix in _PACKED_SUFFIXES and each.with_suffix("") in found)
    }
    return {**kept, path: log} if log is not None else kept


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def _is_rotated(name: str, path: Path) -> bool:
    if name == path.name:
        return False
    if name.startswith(path.name):
        rest = name[len(path.name) :]
        return rest[:1] in ".-_" and rest[1:2].isdigit()
    rest = name[len(path.stem) :] if name.startswith(path.stem) else ""
    return rest[:1] in ("-", "_", ".") and rest[1:2].isdigit() and path.suffix in rest
