"""Many names in few queries: how many can be bound to one."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from streams.store import Store

#: Names bound to one query. The engine reads a bound array of 50,000 for minutes, one of 10,000 in milliseconds.
MOST = 10_000
#: Over HTTP parameters are part of the address; the strictest server on the way takes 64 KiB of it.
ADDRESS_BYTES = 48_000
#: Quotes and comma around a name in an address: %27 %27 %2C.
AROUND = 9


def portions(store: Store, names: Sequence[str]) -> Iterator[Sequence[str]]:
    """The names in order, in runs of as many as one query of the store can be given.

    Sorted names make runs that lie together in a table sorted by name, so that all runs together read it once.
    """
    if store.settings.path:
        yield from (names[start : start + MOST] for start in range(0, len(names), MOST))
        return
    start = room = 0
    for place, name in enumerate(names):
        needed = len(quote_plus(name)) + AROUND
        if place > start and (needed > room or place - start == MOST):
            yield names[start:place]
            start = place
        if place == start:
            room = ADDRESS_BYTES
        room -= needed
    if names:
        yield names[start:]
