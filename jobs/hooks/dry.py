"""The last step of a dry run: what a target would be asked is said, and it is not asked."""

from collections.abc import Iterable, Mapping

from jobs.hooks.targets.base import Done, HookTarget, Order


class DryTarget:
    """In the place of a target, or of none where no action is configured."""

    forgets = False

    def __init__(self, target: HookTarget | None) -> None:
        self._target = target

    def shown(self, order: Order) -> str:
        """What would be asked."""
        return "" if self._target is None else self._target.shown(order)

    def apply(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Say it."""
        return Done(said=self.shown(order))

    def lift(self, order: Order, ref: Mapping[str, str]) -> Done:
        """Say it."""
        return Done(said=self.shown(order))

    def renew(self, order: Order, ref: Mapping[str, str]) -> Done | None:
        """Nothing is there."""
        return None

    def clear(self, tags: Iterable[str]) -> list[str]:
        """Nothing is there."""
        return []
