"""Text in columns of a terminal: how wide it is, shortened to fit, and which columns fit at all. Pure.

A width is a number of cells: a Chinese character takes two, a combining accent none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2
CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. It is between `least` and `greatest` cells wide; where not all columns fit, those of the
    least `importance` are left out."""

    heading: str
    least: int
    greatest: int
    importance: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A column that is shown, and how wide it is."""

    column: Column
    width: int


def fitted(columns: Sequence[Column], width: int) -> list[Placed]:
    """The columns that are shown on a terminal of a width, in their order.

    It depends on the terminal alone and not on what is shown, so that columns stay where they are from one moment to
    the next. Cells to spare go to the columns that can grow, in proportion to how far they can.
    """
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        kept.remove(min(kept, key=lambda each: each.importance))
    spare = max(0, width - _needed(kept))
    room = sum(each.greatest - each.least for each in kept)
    shares = [0 if room == 0 else min(room, spare) * (each.greatest - each.least) // room for each in kept]
    # What the division left over goes to the first that has room.
    left = min(room, spare) - sum(shares)
    for place, each in enumerate(kept):
        more = min(left, each.greatest - each.least - shares[place])
        shares[place] += more
        left -= more
    return [Placed(each, min(each.least + share, width)) for each, share in zip(kept, shares, strict=True)]


def line(cells: Sequence[str], placed: Sequence[Placed]) -> str:
    """The cells of a row, each shortened and padded to its column."""
    shown = (cell(text, each) for text, each in zip(cells, placed, strict=True))
    return (" " * GAP).join(shown).rstrip()


def cell(text: str, placed: Placed) -> str:
    """The text, shortened and padded to its column."""
    return padded(shortened(text, placed.width), placed.width, right=placed.column.right)


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks up to a width, behind it or (`right`) before it."""
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


def shortened(text: str, width: int) -> str:
    """The text where it fits, else its beginning and its end: names of one kind often begin alike."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return _head(text, max(width, 0))
    tail = (width - 1) // 2
    return _head(text, width - 1 - tail) + CUT + _tail(text, tail)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines, each cell as wide as its column's widest."""
    wide = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(padded(text, width) for text, width in zip(row, wide, strict=True)).rstrip() for row in rows]


def _needed(columns: Sequence[Column]) -> int:
    return sum(each.least for each in columns) + GAP * (len(columns) - 1)


def _head(text: str, width: int) -> str:
    """The longest beginning that fits."""
    end = width
    while end < len(text) and cell_len(text[: end + 1]) <= width:
        end += 1
    while cell_len(text[:end]) > width:
        end -= 1
    return text[:end]


def _tail(text: str, width: int) -> str:
    """The longest end that fits, and does not begin with an accent of what was cut off."""
    start = max(0, len(text) - width)
    while start > 0 and cell_len(text[start - 1 :]) <= width:
        start -= 1
    while cell_len(text[start:]) > width or (start < len(text) and cell_len(text[start]) == 0):
        start += 1
    return text[start:]
