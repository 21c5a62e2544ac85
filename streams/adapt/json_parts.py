"""The JSON texts of one body: an array's elements, one a line, or joined with nothing in between. Pure.

Amazon Data Firehose joins records so (https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html), log shippers
write one a line. What lies between two texts and is none itself is a part too, so that it can be named.
"""

import json
import re
from functools import lru_cache

import msgspec

#: So often what is broken is passed over, in search of the next text; what follows then is one part.
MAX_BROKEN = 1_000

_ARRAY: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)
#: So many bodies are remembered with their parts: who reads one and cannot asks for them, then who takes it apart.
_REMEMBERED = 4
#: Only the end of a text is looked for, so numbers need not be read. Other programs write what is no JSON in strings,
#: which is found out later.
_SCANNER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)
#: Where another text may begin: on a line of its own, behind the end of an object, or behind what no object follows in
#: JSON, as where a record was cut off.
_NEXT = re.compile(rb"\n[ \t\r]*(?=[{\[])|\}[ \t\r\n]*(?:,[ \t\r\n]*)?(?=\{)|[^ \t\r\n:,\[{}](?=\{\")")
_BLANK = re.compile(rb"[ \t\r\n\x1e,]*")
#: The same within an array that is broken, to its end.
_BLANK_OR_END = re.compile(rb"[ \t\r\n\x1e,\]]*")
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def json_parts(raw: bytes) -> list[bytes]:
    """The texts in their order, without the blanks around them; arrays among several are taken apart as well. A body
    that cannot be taken apart is one part."""
    return list(_found_parts(raw.strip()))


@lru_cache(maxsize=_REMEMBERED)
def _found_parts(body: bytes) -> tuple[bytes, ...]:
    try:
        return tuple(_elements(body)) if body.startswith(b"[") else (bytes(_ANY.decode(body)),)
    except _ERRORS:
        found = [part for text in _joined(body) for part in _parts_of(text)]
        return tuple(found) or (body,)


def one_message(parts: list[bytes]) -> bytes:
    """A body of these parts: that part itself, or each on a line of its own."""
    return parts[0] if len(parts) == 1 else b"\n".join(map(_on_one_line, parts))


def _elements(array: bytes) -> list[bytes]:
    return [bytes(each) for each in _ARRAY.decode(array)]


def _parts_of(text: bytes) -> list[bytes]:
    try:
        return _elements(text) if text.startswith(b"[") else [text]
    except _ERRORS:
        return _joined(text, within_array=True)


def _joined(body: bytes, *, within_array: bool = False) -> list[bytes]:
    """Texts one behind another, also those of an array that is broken. As Latin-1 each byte is a character, so places
    are the same; all that means something in JSON is ASCII."""
    text, begin = body.decode("latin-1"), 0
    found: list[bytes] = []
    at, blanks = (1, _BLANK_OR_END) if within_array else (0, _BLANK)
    at = _after_blanks(blanks, body, at)
    broken = 0
    while at < len(body):
        try:
            end = begin + _SCANNER.raw_decode(text, at - begin)[1]
        except (ValueError, RecursionError):
            broken += 1
            if body[at : at + 1] == b"[" and blanks is _BLANK:
                # One bad element costs no other, nor does an end that is missing.
                blanks, end = _BLANK_OR_END, at + 1
            else:
                there = _NEXT.search(body, at) if broken <= MAX_BROKEN else None
                end = there.end() if there else len(body)
                found.append(body[at:end].rstrip(b" \t\r\n,"))
            # Each error of the scanner counts the lines before it, from the beginning of its text.
            text, begin = text[end - begin :], end
        else:
            found.append(body[at:end].strip())
        at = _after_blanks(blanks, body, end)
    return [part for part in found if part]


def _after_blanks(blanks: re.Pattern[bytes], body: bytes, at: int) -> int:
    found = blanks.match(body, at)
    return found.end() if found else at


def _on_one_line(part: bytes) -> bytes:
    if b"\n" not in part:
        return part
    try:
        return msgspec.json.format(part, indent=-1)
    except _ERRORS:
        return b" ".join(part.split())
