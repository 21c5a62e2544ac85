"""Text whose lines end with a carriage return alone, as old Macintosh programs write it and some editors still do.

Known by the first piece in which a line ends at all; there is no line feed in it.
"""

import io


class LineEnds(io.RawIOBase):
    """A file whose lines end with a line feed, with a carriage return before it or not."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        #: Whether lines end with a carriage return alone; None until it is known.
        self._alone: bool | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """The next bytes of the text; 0 at the end."""
        size = self._raw.readinto(buffer) or 0
        if self._alone is not False:
            text = bytes(buffer[:size])
            if self._alone is None:
                self._alone = _ends_alone(text)
            if self._alone:
                buffer[:size] = text.replace(b"\r", b"\n")
        return size


def _ends_alone(text: bytes) -> bool | None:
    if b"\n" in text:
        return False
    # Of a return at the very end nobody knows yet what follows it.
    return True if b"\r" in text[:-1] else None
