"""A JSON line in, a JSON line out, in the same order, whatever the line."""

from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from api.text.harmless import harmless, harmless_json
from schemas.event import MAX_EVENT_BYTES

#: What is read of a line that is too long, at a time.
CHUNK = 65_536


def answer_lines(lines: IO[bytes], out: IO[bytes], problems: IO[str], answer: Callable[[bytes], Any]) -> bool:
    """Answer every line of `lines` in `out`; True if all could be answered.

    A line of which `answer` raises a ValueError has `{"error": ...}` in its place, so that lines stay aligned, and is
    named in `problems`. A line longer than `MAX_EVENT_BYTES`, or empty, is not asked about.
    """
    all_answered = True
    for number, line in enumerate(_bounded(lines), start=1):
        try:
            said = answer(_checked(line))
        except ValueError as error:
            all_answered = False
            said = {"error": str(error)}
            problems.write(f"line {number}: {harmless(str(error))}\n")
        out.write(harmless_json(msgspec.json.encode(said).decode()).encode() + b"\n")
    out.flush()
    return all_answered


def _checked(line: bytes) -> bytes:
    if len(line) > MAX_EVENT_BYTES:
        raise ValueError(f"the line is longer than {MAX_EVENT_BYTES:,} bytes")
    if not line.strip():
        raise ValueError("the line is empty")
    return line


def _bounded(lines: IO[bytes]) -> Iterator[bytes]:
    """The lines, each cut where it is too long to be one of ours."""
    while line := lines.readline(MAX_EVENT_BYTES + 2):
        yield line.rstrip(b"\r\n")
        while not line.endswith(b"\n") and (line := lines.readline(CHUNK)):
            pass
