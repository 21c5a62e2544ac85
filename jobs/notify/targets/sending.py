"""What all targets have in common: what they are given, and how secrets are read."""

from collections.abc import Sequence
from typing import Protocol

from jobs.notify.events import Event
from jobs.notify.notification import Outcome, Parcel
from schemas.notify import NotifyError
from schemas.written_file import read_written


class TargetSender(Protocol):
    """One target. Used by several threads at a time, of one customer by one."""

    def send(self, parcel: Parcel, events: Sequence[Event], now_ms: int) -> Outcome:
        """Send what is in the parcel, `events` being what its items hold; says what came of it, and never raises what
        the target causes."""


def secret(value: str, file: str, what: str) -> str:
    """A secret of the settings, or the only line of its file.

    Raises:
        NotifyError: the file cannot be read, or is empty.
    """
    if not file:
        return value
    lines = secret_lines(file, what)
    if len(lines) > 1:
        raise NotifyError(f"target.{what}: {file}: has {len(lines)} lines; a secret is one line")
    return lines[0]


def secret_lines(file: str, what: str) -> list[str]:
    """The lines of a file that are not empty.

    Raises:
        NotifyError: the file cannot be read, or has none.
    """
    try:
        lines = [each.strip() for each in read_written(file).splitlines() if each.strip()]
    except OSError as error:
        raise NotifyError(f"target.{what}: {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotifyError(f"target.{what}: {file}: not UTF-8") from error
    if not lines:
        raise NotifyError(f"target.{what}: {file}: is empty")
    return lines
