"""Listings over HTTP: to a customer those that its mail went through, to an operator whom they are attributed to."""

from collections.abc import Mapping, Sequence

import msgspec

from api.http.models.listings import Cause, Causes, Listing, Listings
from schemas.times import DAY_MS, utc_time
from streams.io.store import Store
from streams.listings.causes import CausedListing, current_causes
from streams.listings.customer_exposure import Exposure, exposures
from streams.listings.left_out import with_incidents


def own_listings(
    store: Store, customer: str, ended_days: int, owners: Mapping[str, str], now_ms: int, *, with_causes: bool
) -> Listings:
    """The listings of what `customer` sent through, in force at `now_ms` (epoch ms) or ended in the days before.

    Without `with_causes` nothing is answered about anybody else.

    Raises:
        StoreError: the store failed.
    """
    listings = _listings(store, ended_days, owners, now_ms)
    mail = exposures(store, customer, listings)
    return Listings(
        customer=customer,
        time=utc_time(now_ms),
        listings=[_shown(each, mail[each.key], with_causes) for each in listings if each.key in mail],
    )


def all_listings(store: Store, ended_days: int, owners: Mapping[str, str], now_ms: int) -> Listings:
    """Every listing with its causes, as operators see it.

    Raises:
        StoreError: the store failed.
    """
    listings = _listings(store, ended_days, owners, now_ms)
    return Listings(customer=None, time=utc_time(now_ms), listings=[_shown(each, None, True) for each in listings])


def _listings(store: Store, ended_days: int, owners: Mapping[str, str], now_ms: int) -> Sequence[CausedListing]:
    return with_incidents(store, current_causes(store, now_ms - ended_days * DAY_MS, owners))


def _shown(listing: CausedListing, own: Exposure | None, with_causes: bool) -> Listing:
    return Listing(
        resource=listing.resource,
        kind=listing.kind,
        zone=listing.zone,
        weight=listing.weight,
        since=utc_time(listing.began_ms),
        until=None if listing.ended_ms is None else utc_time(listing.ended_ms),
        confirmed=listing.confirmed,
        sent_before=own.before if own else None,
        exposed=own.exposed if own else None,
        incident=listing.incident or None,
        causes=_causes(listing) if with_causes else None,
    )


def _causes(listing: CausedListing) -> Causes:
    return Causes(
        attributed=listing.attributed,
        pool=listing.pool or None,
        customers=listing.users,
        ranking=[Cause.model_validate(msgspec.structs.asdict(each)) for each in listing.causes],
    )
