"""Which of the project's files something passes on its way, traced over a real run."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from tests.support.root import ROOT

_OURS = ("api", "jobs", "schemas", "streams")


class FilesMet:
    """Records files from the first call of one function once it is `armed`, until another one returns. Who calls the
    first counts as well."""

    def __init__(self, first: Callable[..., Any], last: Callable[..., Any]) -> None:
        self.files: list[str] = []
        self._first, self._last = _code(first), _code(last)
        self.armed = False
        self._begun = False
        self.ended = threading.Event()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Trace this thread, and those that are started from here on."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _arg: Any) -> None:
        if self.ended.is_set():
            return
        if event == "call":
            if self.armed and not self._begun and frame.f_code is self._first:
                self._begun = True
                self._add_callers(frame)
            elif self._begun:
                self._add(frame)
        elif event == "return" and self._begun and frame.f_code is self._last:
            self.ended.set()

    def _add_callers(self, frame: FrameType) -> None:
        callers = []
        each: FrameType | None = frame
        while each is not None:
            callers.append(each)
            each = each.f_back
        for caller in reversed(callers):
            self._add(caller)

    def _add(self, frame: FrameType) -> None:
        if frame.f_code.co_name == "<module>":
            return
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in _OURS:
            name = str(path.relative_to(ROOT))
            if name not in self.files:
                self.files.append(name)


def _code(function: Callable[..., Any]) -> CodeType:
    assert isinstance(function, FunctionType)
    return function.__code__
