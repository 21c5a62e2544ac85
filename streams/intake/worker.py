"""What the parts of an ingest worker ask of the whole."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from streams.io.store import Store

T = TypeVar("T")


class Ask(Protocol):
    """Asks the store until it answers."""

    def __call__(self, question: Callable[[Store], T]) -> T:
        """The answer. Raises StoreError where the worker is to stop."""


class Worker(Protocol):
    """The worker that reads partitions."""

    def ask(self, question: Callable[[Store], T]) -> T:
        """The store's answer, asked for until it comes. Raises StoreError where the worker is to stop."""

    def store_all(self) -> None:
        """Store everything taken so far. Raises StoreError, BrokerError."""

    def stopped(self) -> bool:
        """Whether the worker is asked to stop."""
