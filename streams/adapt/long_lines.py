"""Lines of containers that were too long for who wrote them down, and came in pieces.

- Kubernetes (the format of CRI): `P` for a piece, `F` for the last one.
- Docker cuts at 16 KiB (moby, daemon/logger/copier.go). In its `json-file` a piece is a record whose `log` has no line
  end; since others that pass such records on take the line ends from all of them, a piece is known by its size too. Its
  drivers for journald and Fluentd say of a record that it is a piece (`CONTAINER_PARTIAL_MESSAGE`, `partial_message`).
"""

import re

import msgspec

from streams.adapt.bounded import keep

#: Characters of a line that came in pieces.
_LONGEST = 100_000
#: Lines of which pieces are held: one for each stream of each container.
_MOST_BEGUN = 100
_PIECE = re.compile(r"(\d{4}-\d\d-\d\dT\S{8,30} (stdout|stderr)) ([PF]) (.*)", re.ASCII | re.DOTALL)
#: Bytes of a piece of Docker's; a character may be cut in the middle.
_DOCKER_BYTES = 16 * 1024 - 4
#: Nearly all records of Docker end so, and none of these is a piece.
_WHOLE = '\\n","stream":"'


class _Record(msgspec.Struct):
    """What tells of a piece: the text is in `log` (Docker, Fluentd) or `MESSAGE` (journald)."""

    log: str | None = None
    message: str | None = msgspec.field(default=None, name="MESSAGE")
    stream: str = ""
    source: str = ""
    container: str = msgspec.field(default="", name="container_id")
    journal_container: str = msgspec.field(default="", name="CONTAINER_ID_FULL")
    partial: str | bool = msgspec.field(default="", name="partial_message")
    last: str | bool = msgspec.field(default="", name="partial_last")
    journal_partial: str = msgspec.field(default="", name="CONTAINER_PARTIAL_MESSAGE")
    journal_last: str = msgspec.field(default="", name="CONTAINER_PARTIAL_LAST")
    partial_id: str = ""
    journal_id: str = msgspec.field(default="", name="CONTAINER_PARTIAL_ID")

    @property
    def key(self) -> str:
        """Of which line it is a piece."""
        whose = self.container or self.journal_container
        return f"{whose} {self.stream or self.source} {self.partial_id or self.journal_id}"

    @property
    def is_piece(self) -> bool:
        """Whether more of the line comes."""
        if _is_true(self.journal_partial) or _is_true(self.partial):
            return not (_is_true(self.journal_last) or _is_true(self.last))
        text = self.log
        if text is None or not self.stream or text.endswith("\n"):
            return False
        return len(text) > _DOCKER_BYTES // 4 and len(text.encode()) >= _DOCKER_BYTES


_DECODER = msgspec.json.Decoder(_Record)


class LongLines:
    """Joins the pieces of lines, of one log."""

    def __init__(self) -> None:
        """Begin without pieces."""
        self._begun: dict[str, str] = {}

    def whole(self, line: str) -> str | None:
        """The line, with the pieces before it; None where more come."""
        if line.startswith("{"):
            return self._of_json(line)
        found = _PIECE.match(line)
        if found is None:
            return line
        head, stream, mark, text = found.groups()
        text = self._joined(stream, text)
        if mark == "P":
            keep(self._begun, stream, text, _MOST_BEGUN)
            return None
        return f"{head} F {text}"

    def _of_json(self, line: str) -> str | None:
        if not self._begun and _WHOLE in line:
            return line
        try:
            record = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return line
        if record.is_piece:
            keep(self._begun, record.key, self._joined(record.key, record.log or record.message or ""), _MOST_BEGUN)
            return None
        if record.key not in self._begun:
            return line
        name = "log" if record.log is not None else "MESSAGE"
        text = self._joined(record.key, record.log if record.log is not None else record.message or "")
        return msgspec.json.encode({**msgspec.json.decode(line, type=dict[str, object]), name: text}).decode()

    def _joined(self, key: str, text: str) -> str:
        return (self._begun.pop(key, "") + text)[:_LONGEST]


def _is_true(said: str | bool) -> bool:
    return said is True or said == "true"
