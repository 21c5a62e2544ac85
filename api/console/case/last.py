"""What pages showed last, to be shown with its age while the store does not answer."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

from starlette.datastructures import State

#: So many pages are kept.
KEPT = 200

Asked = TypeVar("Asked", bound=Hashable)
Shown = TypeVar("Shown")


class LastPages(Generic[Asked, Shown]):
    """The newest view of each question; those that were shown longest ago give way. Any thread may ask."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = Lock()
        self._known: OrderedDict[Asked, Shown] = OrderedDict()

    def keep(self, asked: Asked, view: Shown) -> None:
        """This is shown."""
        with self._lock:
            self._known[asked] = view
            self._known.move_to_end(asked)
            while len(self._known) > self._kept:
                self._known.popitem(last=False)

    def find(self, asked: Asked) -> Shown | None:
        """What was shown last."""
        with self._lock:
            return self._known.get(asked)

    def all(self) -> list[tuple[Asked, Shown]]:
        """Everything, the newest last."""
        with self._lock:
            return list(self._known.items())


def last_pages(state: State, name: str) -> LastPages[Any, Any]:
    """Those of a kind of page, by its name in the state of an application; made when they are first asked for."""
    if not hasattr(state, name):
        setattr(state, name, LastPages[Any, Any]())
    found = getattr(state, name)
    assert isinstance(found, LastPages)  # noqa: S101
    return found
