"""Which mail is left out of what customers are judged by, as the monitor reads it."""

from streams.incidents.stored import read_all_left_out
from streams.io.store import Store
from streams.subjects.left_out import ProviderHour


def hours_left_out(store: Store) -> frozenset[ProviderHour]:
    """The providers and hours (epoch s), of all time."""
    return read_all_left_out(store, 0).mail
