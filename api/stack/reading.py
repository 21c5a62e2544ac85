"""How source topics are read: formats, mappings and bounce rules of the settings, and the worker that reads by them."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from api.stack.adapting import adapt_context, load_classifier
from schemas.settings import Settings, SettingsError
from schemas.settings_check import MAKE_KEY
from schemas.times import utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS
from streams.adapt import (
    LISTING_FORMATS,
    NO_LATE_MARK,
    AdaptError,
    adapter,
    listing_adapter,
)
from streams.adapt.places import BY_DOMAIN, MESSAGE_ID
from streams.decisions.customers import read_customers
from streams.intake.batch import BatchReader, MailReader, time_bounds
from streams.intake.ingest import IngestWorker
from streams.intake.listing_readers import OutsideListingReader
from streams.intake.refusals import Refused
from streams.intake.server import check_server
from streams.intake.stored import check_stored
from streams.io.store import Store, StoreError, open_store

log = logging.getLogger("repmon.stages")


def batch_readers(
    settings: Settings, refused: Refused | None = None, registered: Iterable[tuple[str, str]] = ()
) -> dict[str, BatchReader]:
    """How each configured source topic is read. With `refused` mail is recorded that nobody wanted. `registered` are
    domains and whose they are, besides those of the settings.

    Raises:
        SettingsError: an unknown format.
    """
    context = replace(adapt_context(settings), hash_all=refused is not None, find_by_message=True, replies={})
    context = replace(context, owners=context.owners.with_registered(registered))
    remember_senders = any(MESSAGE_ID in each.customer_places for each in context.mapping.values())
    classify = load_classifier(settings)
    found: dict[str, BatchReader] = {}
    for topic, format_name in settings.ingest.formats.items():
        if topic == MAIL_BLOCKLISTINGS:
            raise SettingsError(f"ingest.formats: {topic} has its own format and takes no other")
        if format_name in LISTING_FORMATS:
            found[topic] = OutsideListingReader(listing_adapter(format_name), context, time_bounds(settings.ingest))
            continue
        try:
            adapt = adapter(format_name)
        except AdaptError as error:
            raise SettingsError(f"ingest.formats: {topic}: {error}") from error
        find_late = settings.ingest.late_bounces and format_name in NO_LATE_MARK
        found[topic] = MailReader(
            adapt,
            # A recipient is known by the hash of their address.
            replace(context, hash_all=context.hash_all or find_late),
            classify,
            time_bounds(settings.ingest),
            cohorts=settings.ingest.cohorts,
            refused=refused,
            find_late=find_late,
            remember_senders=remember_senders,
        )
    return found


def registered_domains(settings: Settings, store: Store) -> list[tuple[str, str]]:
    """The domains of the list of customers, each with whose it is; none where no format looks for customers by domains.

    Raises:
        StoreError: the store failed.
    """
    if not any(BY_DOMAIN.intersection(each.customer_places) for each in adapt_context(settings).mapping.values()):
        return []
    return [(name, each.customer) for each in read_customers(store) for name in each.domains]


def ingest_worker(settings: Settings) -> tuple[IngestWorker, Store]:
    """A worker and the store connection that is its own.

    Raises:
        SettingsError, BrokerError, StoreError: what is wrong, out of reach, or missing.
    """
    if not settings.ingest.hash_key:
        raise SettingsError(
            f"ingest.hash_key: not set; it keys the hashes under which recipients are stored: {MAKE_KEY}"
        )
    refused = Refused() if settings.ingest.refusals else None
    readers = batch_readers(settings, refused)
    store = open_store(settings.clickhouse)
    try:
        if registered := registered_domains(settings, store):
            readers = batch_readers(settings, refused, registered)
        for said in check_server(store, settings.ingest.lease_s):
            log.warning("%s", said)
        for fault in check_stored(store, settings.ingest, utc_now_ms()):
            log.error("%s", fault.detail)
    except (StoreError, SettingsError):
        store.close()
        raise
    return IngestWorker(settings.kafka, settings.ingest, store, readers, refused=refused), store
