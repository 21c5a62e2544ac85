"""The files that a log consists of from a place on: rotated ones first, the one that grows last."""

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
    for look in range(1, MOST_LOOKS + 1):
        before = identities(path)
        sources = _all_opened(before)
        if sources is not None and (identities(path) == before or look == MOST_LOOKS):
            break
        for each in sources or ():
            each.close()
    return _from_place(sources or [], path, place)


def _all_opened(files: dict[Path, tuple[int, int]]) -> list[FollowedFile] | None:
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


def _distinct(sources: list[FollowedFile], first: FollowedFile) -> list[FollowedFile]:
    """Without those that are the same content again, such as a part next to its compressed form."""
    kept: list[FollowedFile] = [first]
    for source in sources:
        place = source.place
        if any(place.head_bytes and each.begins_as(place) for each in kept):
            source.close()
        else:
            kept.append(source)
    return kept[1:]
