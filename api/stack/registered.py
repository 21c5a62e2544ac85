"""The domains of the list of customers, as ingest knows them: read at its start, and again where the list changed."""

from collections.abc import Callable
from contextlib import closing

from api.stack.adapting import adapt_context
from schemas.settings import Settings
from streams.adapt.owners import Owners
from streams.adapt.places import BY_DOMAIN
from streams.decisions.customers import last_change_us, read_customers
from streams.io.pulse import Pulse
from streams.io.store import Store

#: How often it is looked whether the list has changed, in s: a new customer's reports are its own within a minute.
LOOK_S = 20.0


def looks_for_domains(settings: Settings) -> bool:
    """Whether any format looks for customers by domains."""
    return any(BY_DOMAIN.intersection(each.customer_places) for each in adapt_context(settings).mapping.values())


class RegisteredDomains:
    """Keeps `owners` as the list of customers has them. `store` opens a connection."""

    def __init__(self, owners: Owners, store: Callable[[], Store]) -> None:
        self._owners = owners
        self._open = store
        self._changed_us = -1

    def look(self) -> None:
        """Read the list where it has changed.

        Raises:
            StoreError: the store failed; what was known is still so.
        """
        with closing(self._open()) as store:
            changed_us = last_change_us(store)
            if changed_us != self._changed_us:
                self._owners.set_registered(
                    (name, each.customer) for each in read_customers(store) for name in each.domains
                )
                self._changed_us = changed_us

    def pulse(self) -> Pulse[None]:
        """What looks again and again, once it is started."""
        return Pulse("customers", self.look, LOOK_S)
