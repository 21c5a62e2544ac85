"""The worst customers, read again and again over one connection."""

from collections.abc import Callable

from api.explain.worst import WorstFilter, WorstLine, worst
from api.stack.policy import policy_in_force, with_decisions
from schemas import providers
from schemas.settings import Settings
from schemas.times import utc_now_ms
from streams.io.store import Store


class WorstNow:
    """Reads them by the policy that is in force at the moment. One thread at a time."""

    def __init__(self, settings: Settings, store: Store, clock: Callable[[], int] = utc_now_ms) -> None:
        """`clock` is epoch ms.

        Raises:
            PolicyError: the policy in force cannot be understood.
            StoreError: the store failed.
        """
        self._store = store
        self._clock = clock
        in_force = policy_in_force(settings, store)
        self._policy = in_force.policy
        self._watch = with_decisions(settings, store, in_force, clock)
        self._loop = providers.load_providers().with_feedback_loop()

    def read(self, limit: int, wanted: WorstFilter | None = None) -> list[WorstLine]:
        """The worst subjects now, or those that are wanted.

        Raises:
            StoreError: the store failed.
        """
        self._policy = self._watch.newer() or self._policy
        return worst(self._store, self._policy, self._loop, limit, self._clock(), wanted)
