"""A JSON object that was cut off, such as a report of which the first megabyte was kept: made whole as far as it goes.
Pure."""

import re

#: Texts, and what gives JSON its shape; last a text without an end.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]|"', re.DOTALL)
#: Half of an escape, or of a character, at the end of a text.
_HALF = re.compile(rb"(?:\\(?:u[0-9A-Fa-f]{0,3})?|[\xc0-\xff][\x80-\xbf]*)$")
_END = {b"{": b"}", b"[": b"]"}


def made_whole(cut: bytes) -> list[bytes]:
    """What it may be, the fullest first: with as much of the value that was cut as is there, and without it. Nothing
    where it is no object, or has an end and something else is wrong with it."""
    if not cut.lstrip().startswith(b"{"):
        return []
    open_: list[bytes] = []
    whole, inside, text = 0, b"", -1
    for found in _TOKEN.finditer(cut):
        token = found[0]
        if token in _END:
            open_.append(_END[token])
        elif token in (b"}", b"]"):
            if not open_ or open_.pop() != token or not open_:
                return []
            whole, inside = found.end(), _ends(open_)
        elif token == b",":
            whole, inside = found.start(), _ends(open_)
        elif token == b'"':
            text = found.start()
            break
    made = [cut[:whole] + inside] if whole else []
    if text >= 0 and cut[:text].rstrip().endswith(b":"):
        made.insert(0, _HALF.sub(b"", cut) + b'"' + _ends(open_))
    return made


def _ends(open_: list[bytes]) -> bytes:
    return b"".join(reversed(open_))
