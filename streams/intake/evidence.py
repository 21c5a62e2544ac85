"""What is kept one by one, next to the counts: negative events, listings, dead letters, mail nobody wanted.

Hardly an event in a hundred is one of these. All of it may be stored again harmlessly: rows are known by source and
position.
"""

from collections.abc import Sequence

from streams.intake.batch import Batch, NegativeEvent
from streams.intake.records import dead_letter_columns, detail_table, listing_columns, negative_id_table
from streams.intake.refusals import refusal_columns, unwanted_columns
from streams.io.store import Store
from streams.listings.outside import open_listings_for, reconciled


def reconcile_listings(store: Store, batches: Sequence[Batch]) -> None:
    """Make what outside monitors say of listings fit what is stored. Doing it again changes nothing.

    Raises:
        StoreError: the store failed.
    """
    known = open_listings_for(store, (event for batch in batches for _, event in batch.listings))
    for batch in batches:
        batch.listings = reconciled(batch.listings, known)


def store_evidence(store: Store, found: Sequence[tuple[Batch, Sequence[NegativeEvent]]], now_ms: int) -> None:
    """Insert it, of each batch with those of its negative events that did not come before.

    Raises:
        StoreError: the store failed; what of it was taken may be stored again.
    """
    batches = [batch for batch, _ in found]
    negatives = [(batch.source.name, each) for batch, some in found for each in some]
    if dead := [letter for batch in batches for letter in batch.dead]:
        store.insert("dead_letters", dead_letter_columns(dead))
    if negatives:
        store.insert_table("events", detail_table(negatives))
        store.insert_table("negative_ids", negative_id_table(negatives, now_ms))
        if (refusals := refusal_columns((each.event for _, each in negatives), now_ms))["hash"]:
            store.insert("refusals", refusals)
    if unwanted := [(batch.source.name, each) for batch in batches for each in batch.unwanted]:
        store.insert("unwanted_mail", unwanted_columns(unwanted))
    if listings := [(batch.source.name, *each) for batch in batches for each in batch.listings]:
        store.insert("listing_events", listing_columns(listings))
