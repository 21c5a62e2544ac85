"""The files that a log consists of from a place on: rotated ones first, the one that grows last."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from jobs.follow.place import LogPlace, identities
from jobs.follow.source import FollowedFile, opened

#: How often it is looked again where files were renamed meanwhile.
MOST_LOOKS = 20


def parts_from(path: Path, place: LogPlace | None) -> tuple[list[FollowedFile], bool]:
    """The files to read, in the order in which they were written, and whether the place was found.

    Without a place it is the file at the path alone, from its beginning; so it is where the file of the place is gone.
    The file at the path is missing in the result while nothing is there, as in the middle of a rotation. Where a
    rotation comes in between listing and opening it is looked again, else a file that has just got another name would
    be missed.

    Raises:
        OSError: a file or the folder cannot be read.
    """
    if place is None:
        current = opened(path)
        return ([current] if current else []), True
    return _from_place(_steady(path, _all_opened), path, place)


class OlderParts:
    """The older parts of a log as they were when it was first followed and nothing stood in it: what comes to them is
    what was written since, copied, and cut off before anybody saw it."""

    def __init__(self, path: Path, places: Iterable[LogPlace] | None = None) -> None:
        """Take those that were seen before a restart, or see what there is; what cannot be read now is taken for there.

        Raises:
            OSError: the folder cannot be listed.
        """
        self._path = path
        self.places = tuple(self._looked() if places is None else places)
        self._changed_ns = 0

    def new(self, current: FollowedFile) -> list[FollowedFile]:
        """The parts that came since, open, the oldest first; looked for where the log, of which nothing was read yet,
        was changed since the last time. What a part has in common with the log is read from the log.

        Raises:
            OSError: the folder cannot be listed.
        """
        if (changed_ns := current.changed_ns) == self._changed_ns:
            return []
        self._changed_ns = changed_ns
        found: list[FollowedFile] = []
        for source in self._opened():
            place = source.place
            known = not place.head_bytes or source.is_file(current) or current.begins_as(place)
            if known or any(source.is_place_of(before) for before in self.places):
                source.close()
            else:
                found.append(source)
        return _distinct(found[1:], found[0], keep_first=True) if found else []

    def _looked(self) -> list[LogPlace]:
        sources = self._opened()
        found = [each.place for each in sources]
        for each in sources:
            each.close()
        return [each for each in found if each.head_bytes]

    def _opened(self) -> list[FollowedFile]:
        """The older parts that can be read, open, the oldest first."""
        return _steady(self._path, lambda names: _readable(each for each in names if each != self._path))


def _steady(path: Path, opening: Callable[[Iterable[Path]], list[FollowedFile] | None]) -> list[FollowedFile]:
    """What `opening` gives of the log's files, once it gives any and none got another name meanwhile: where a rotation
    comes in between listing and opening it is looked again.

    Raises:
        OSError: the folder cannot be listed, or by `opening`.
    """
    for look in range(1, MOST_LOOKS + 1):
        before = identities(path)
        sources = opening(before)
        if sources is not None and (identities(path) == before or look == MOST_LOOKS):
            return sources
        for each in sources or ():
            each.close()
    return []


def _readable(names: Iterable[Path]) -> list[FollowedFile]:
    found: list[FollowedFile] = []
    for each in names:
        with suppress(OSError):
            if (source := opened(each)) is not None:
                found.append(source)
    return found


def _all_opened(files: Iterable[Path]) -> list[FollowedFile] | None:
    """All of them; None where one is gone."""
    found: list[FollowedFile] = []
    for each in files:
        source = opened(each)
        if source is None:
            for other in found:
                other.close()
            return None
        found.append(source)
    return found


def _from_place(sources: list[FollowedFile], path: Path, place: LogPlace) -> tuple[list[FollowedFile], bool]:
    alike = [each for each in sources if each.is_place_of(place) and not _is_shorter(each, place)]
    # A copy begins alike too; the file itself is meant where it is there, else the log rather than a copy of it.
    first = max(alike, key=lambda each: (each.is_same_file(place), each.path == path), default=None)
    if first is None:
        for each in sources:
            if each.path != path:
                each.close()
        return [each for each in sources if each.path == path], False
    first.offset = place.offset
    number = sources.index(first)
    for each in sources[:number]:
        each.close()
    return [first, *_distinct(sources[number + 1 :], first)], True


def _is_shorter(source: FollowedFile, place: LogPlace) -> bool:
    """Whether a file was cut off since and begins alike by chance."""
    return not source.packed and source.size < place.offset


def _distinct(sources: list[FollowedFile], first: FollowedFile, *, keep_first: bool = False) -> list[FollowedFile]:
    """Without those that are the same content again, such as a part next to its compressed form; `first` is left out
    unless it is kept."""
    kept: list[FollowedFile] = [first]
    for source in sources:
        place = source.place
        if any(place.head_bytes and each.begins_as(place) for each in kept):
            source.close()
        else:
            kept.append(source)
    return kept if keep_first else kept[1:]
