"""What is kept of a log that is followed: how far it was read, and what its lines told of messages under way.

Two files in a folder: `NAME.place` (JSON) is written whenever what was sent is acknowledged, `NAME.memory` now and
then, with its own place. After a restart what lies between both is read again, for the memory, and not sent again.
"""

import fcntl
import io
import pickle
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec

from jobs.follow.place import LogPlace, SegmentPlaces
from schemas.errors import InvalidInputError
from schemas.version import VERSION
from streams.io.whole_file import replace_file

_SAFE_MODULES = ("streams.adapt.", "jobs.follow.place")
_SAFE_BUILTINS = frozenset({"set", "frozenset", "dict", "list", "tuple"})


class FollowError(InvalidInputError):
    """A log cannot be followed; one line that names it."""


#: How far a log was read: its files, the one that grows last, or its segments.
Places = tuple[LogPlace, ...] | SegmentPlaces


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a log was read: its files, the one that grows last, or the segments of a folder. Of one that was empty
    when it was first followed, the older parts that were there then, until something of it is read."""

    path: str
    format: str
    places: tuple[LogPlace, ...] = ()
    segments: SegmentPlaces | None = None
    older: tuple[LogPlace, ...] | None = None


class FollowStore:
    """The files of one log, which nobody else may follow meanwhile."""

    def __init__(self, folder: Path, path: Path, format_name: str) -> None:
        """Open them.

        Raises:
            FollowError: the folder cannot be written, or the log is followed by another process.
        """
        self._path, self._format = path, format_name
        name = f"{path.name}-{blake2b(str(path).encode(), digest_size=4).hexdigest()}"
        self._place, self._memory = folder / f"{name}.place", folder / f"{name}.memory"
        self._unread = folder / f"{name}.unread"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock: IO[bytes] = (folder / f"{name}.lock").open("ab")
        except OSError as error:
            raise FollowError(f"{folder}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FollowError(f"{path}: is followed by another process already") from error

    def close(self) -> None:
        """Let others follow it."""
        self._lock.close()

    @property
    def place(self) -> Path:
        """Where it is kept how far the log was read."""
        return self._place

    @property
    def unread(self) -> Path:
        """Where lines are kept that could not be read."""
        return self._unread

    def places(self) -> tuple[LogPlace, ...]:
        """How far it was read; empty at first.

        Raises:
            FollowError: what is kept cannot be read, or is of another format.
        """
        kept = self._kept()
        return kept.places if kept is not None else ()

    def segments(self) -> SegmentPlaces | None:
        """How far the segments of a folder were read; None at first.

        Raises:
            FollowError: as `places`.
        """
        kept = self._kept()
        return kept.segments if kept is not None else None

    def older(self) -> tuple[LogPlace, ...] | None:
        """The older parts that were there when a log was first followed of which nothing was read since.

        Raises:
            FollowError: as `places`.
        """
        kept = self._kept()
        return kept.older if kept is not None else None

    def _kept(self) -> Kept | None:
        try:
            kept = msgspec.json.decode(self._place.read_bytes(), type=Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FollowError(f"{self._place}: cannot be read: {error}; without it the log is read anew") from error
        if kept.format != self._format:
            raise FollowError(f"{self._path}: was followed as `{kept.format}`; remove {self._place} to begin anew")
        return kept

    def keep_places(self, places: Places) -> None:
        """Write how far it was read; on the disk before this returns."""
        kept = (
            Kept(str(self._path), self._format, segments=places)
            if isinstance(places, SegmentPlaces)
            else Kept(str(self._path), self._format, places)
        )
        replace_file(self._place, msgspec.json.encode(kept))

    def keep_older(self, places: tuple[LogPlace, ...]) -> None:
        """Write which older parts were there when it was first followed; on the disk before this returns."""
        replace_file(self._place, msgspec.json.encode(Kept(str(self._path), self._format, older=places)))

    def memory(self) -> tuple[Any, Any] | None:
        """What its lines told, and how far it was read then; None where there is none of this version."""
        try:
            version, places, memory = _Unpickler(io.BytesIO(self._memory.read_bytes())).load()
        except FileNotFoundError:
            return None
        except Exception:
            return None
        return (places, memory) if version == VERSION else None

    def keep_memory(self, places: Places, memory: Any) -> None:
        """Write what its lines told."""
        replace_file(self._memory, pickle.dumps((VERSION, places, memory), protocol=5))


class _Unpickler(pickle.Unpickler):
    """Makes nothing but our own plain classes."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(_SAFE_MODULES) or (module == "builtins" and name in _SAFE_BUILTINS):
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__.startswith((*_SAFE_MODULES, "builtins")):
                return found
        raise pickle.UnpicklingError(f"{module}.{name}")
