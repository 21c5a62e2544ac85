"""A bar for somebody who runs a command by hand and waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs.blocklists.dnsbl import QueryProgress


class _Bar:
    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=None)
        self._total = 0

    def expect(self, questions: int) -> None:
        """Make the bar longer."""
        self._total += questions
        self._progress.update(self._task, total=self._total)

    def done(self, questions: int) -> None:
        """Fill more of it."""
        self._progress.advance(self._task, questions)


@contextmanager
def bar(what: str, out: Console, err: Console) -> Iterator[QueryProgress | None]:
    """A bar on standard error while the block runs; nothing where standard output or error is no terminal."""
    if not (out.is_terminal and err.is_terminal):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        yield _Bar(progress, what)
