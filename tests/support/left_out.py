"""Which mail is left out of what customers are judged by, as the monitor reads it."""

from streams.incidents.stored import ProviderHour, read_all_left_out
from streams.io.store import Store


def hours_left_out(store: Store) -> frozenset[ProviderHour]:
    """The providers and hours (epoch s), of all time."""
    return read_all_left_out(store, 0)[0]
