"""Many names in few queries: how many can be bound to one, and binding them fast."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from streams.io.store import Store

#: Names bound to one query. The engine reads a bound array of 50,000 for minutes, one of 10,000 in milliseconds.
MOST = 10_000
#: Over HTTP parameters are part of the address; the strictest server on the way takes 64 KiB of it.
ADDRESS_BYTES = 48_000
#: Quotes and comma around a name in an address: %27 %27 %2C.
AROUND = 9

#: What is escaped in a bound text: as the driver does.
_ESCAPED = ("\\", "'", "`", "\t", "\n")
#: Between names while they are escaped all at once, unless one contains it: intake takes no such text, but somebody
#: may ask for it.
_APART = "\0"


class ArrayParameter:
    """Names to be bound as `Array(String)`.

    The driver escapes a list character by character, which takes longer than the query where there are thousands of
    names. An object it does not know it binds as that writes itself, and this one writes what the driver would.
    """

    def __init__(self, names: Sequence[str]) -> None:
        text = _APART.join(names)
        if text.count(_APART) < len(names):
            text = _escaped(text).replace(_APART, "', '")
        else:
            text = "', '".join(map(_escaped, names))
        self._text = f"['{text}']" if names else "[]"

    def __str__(self) -> str:
        return self._text


def _escaped(text: str) -> str:
    for each in _ESCAPED:
        text = text.replace(each, "\\" + each)
    return text


def portions(store: Store, names: Sequence[str]) -> Iterator[ArrayParameter]:
    """The names in order, in runs of as many as one query of the store can be given.

    Sorted names make runs that lie together in a table sorted by name, so that all runs together read it once.
    """
    start = 0
    while start < len(names):
        end = start + (MOST if store.settings.path else _that_fit(names[start : start + MOST]))
        yield ArrayParameter(names[start:end])
        start = end


def _that_fit(names: Sequence[str]) -> int:
    """How many of the first fit an address, at least one."""
    room = ADDRESS_BYTES
    for place, name in enumerate(names):
        room -= len(quote_plus(name)) + AROUND
        if room < 0:
            return max(1, place)
    return len(names)
