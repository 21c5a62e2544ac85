"""One query for many who ask the same at the same time, each about itself.

Most of what a query costs the store does not depend on how many it is about. Who asks while a question is being
answered is asked about in the next query, with all who came meanwhile; so the more are asking, the less each costs.
"""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

#: So many are asked about at once, and so many questions at a time.
MOST, AT_ONCE = 64, 4

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Gathered(Generic[Question, Answer]):
    """Asks `ask` (a question, and whom it is about) on threads of its own. Any thread may call `get`."""

    def __init__(self, ask: Callable[[Question, Sequence[str]], Mapping[str, Answer]], most: int = MOST) -> None:
        self._ask = ask
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[Question, dict[str, Future[Answer | None]]] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, "gathered")

    def get(self, question: Question, name: str) -> Answer | None:
        """What is answered about one name; None where nothing is.

        Raises:
            Exception: what `ask` raised.
        """
        with self._lock:
            is_new = question not in self._waiting
            mine = self._waiting.setdefault(question, {}).setdefault(name, Future())
            if is_new:
                self._threads.submit(self._answer, question)
        return mine.result()

    def close(self) -> None:
        """Answer what was asked, and no more."""
        self._threads.shutdown()

    def _answer(self, question: Question) -> None:
        while True:
            with self._lock:
                waiting = self._waiting[question]
                some = {name: waiting.pop(name) for name in list(waiting)[: self._most]}
                if not some:
                    del self._waiting[question]
                    return
            try:
                found = self._ask(question, sorted(some))
            except BaseException as error:
                for each in some.values():
                    each.set_exception(error)
            else:
                for name, each in some.items():
                    each.set_result(found.get(name))
