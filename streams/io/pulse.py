"""Asking again and again, on a thread of its own, so that nobody who wants to know waits for the answer."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from schemas.errors import ExternalError
from schemas.times import utc_now_ms
from streams.io.health import Contact

log = logging.getLogger("repmon.pulse")

T = TypeVar("T")
#: How long a stop waits for a question that is under way, in s. What hangs is left behind: it changes nothing.
LEAVE_S = 1.0


class Pulse(Generic[T]):
    """Asks `question` every `every_s` seconds from `start` to `stop`; `clock` is epoch ms.

    `value` is its last answer. An error is kept, and the next question comes all the same.
    """

    def __init__(
        self, name: str, question: Callable[[], T], every_s: float, clock: Callable[[], int] = utc_now_ms
    ) -> None:
        self.value: T | None = None
        self.contact = Contact(answered_ms=clock())
        self._name = name
        self._question = question
        self._every_s = every_s
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self.contact = Contact(answered_ms=self._clock())
        self._thread.start()

    def stop(self) -> bool:
        """Ask no more; whether no question is under way any longer."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)
        return not self._thread.is_alive()

    def ask(self) -> None:
        """Ask once, on the caller's thread."""
        try:
            value = self._question()
        except ExternalError as error:
            self.contact = Contact(answered_ms=self.contact.answered_ms, trouble=str(error))
        except Exception as error:
            # Not expected; a stage that is said to be silent is better than one that nobody watches any more.
            log.exception("%s: asking again in %g s", self._name, self._every_s)
            said = f"{type(error).__name__}: {error}"
            self.contact = Contact(answered_ms=self.contact.answered_ms, trouble=said)
        else:
            self.value = value
            self.contact = Contact(answered_ms=self._clock())

    def _run(self) -> None:
        while not self._over.is_set():
            self.ask()
            self._over.wait(self._every_s)
