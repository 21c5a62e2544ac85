"""The files that a log consists of from a place on: rotated ones first, the one that grows last."""

from pathlib import Path

from jobs.follow.place import Place, rotated_names
from jobs.follow.source import Source, opened


def parts_from(path: Path, place: Place | None) -> tuple[list[Source], bool]:
    """The files to read, in the order in which they were written, and whether the place was found.

    Without a place it is the file at the path alone, from its beginning; so it is where the file of the place is gone.
    The file at the path is missing in the result while nothing is there, as in the middle of a rotation.
    """
    current = opened(path)
    if place is None:
        return ([current] if current else []), True
    if current is not None and current.is_place_of(place) and not _is_shorter(current, place):
        current.offset = place.offset
        return [current], True
    rotated = rotated_names(path)
    for number, name in enumerate(rotated):
        found = opened(name)
        if found is None:
            continue
        if found.is_place_of(place):
            found.offset = place.offset
            later = [source for each in rotated[number + 1 :] if (source := opened(each)) is not None]
            return [found, *_distinct(later, found), *([current] if current else [])], True
        found.close()
    return ([current] if current else []), False


def _is_shorter(source: Source, place: Place) -> bool:
    """Whether a file was cut off since and begins alike by chance."""
    return not source.packed and source.path.stat().st_size < place.offset


def _distinct(sources: list[Source], first: Source) -> list[Source]:
    """Without those that are the same content again, such as a part next to its compressed form."""
    kept: list[Source] = [first]
    for source in sources:
        place = source.place
        if any(place.head_bytes and each.begins_as(place) for each in kept):
            source.close()
        else:
            kept.append(source)
    return kept[1:]
