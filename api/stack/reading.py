"""How source topics are read: formats, mappings and bounce rules of the settings, and the worker that reads by them."""

import logging
from dataclasses import replace

from api.stack.adapting import adapt_context, load_classifier
from api.stack.registered import RegisteredDomains, looks_for_domains
from jobs.setup.generations import check_generation
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
from streams.adapt.owners import Owners
from streams.adapt.places import MESSAGE_ID
from streams.intake.admission import Admission, KnownCustomers
from streams.intake.batch import BatchReader, MailReader
from streams.intake.bounds import time_bounds
from streams.intake.ingest import IngestWorker
from streams.intake.known_customers import learn_customers, learn_names
from streams.intake.listing_readers import OutsideListingReader
from streams.intake.new_names import KnownNames, NameGate, new_names_per_hour
from streams.intake.refusals import Refused
from streams.intake.server import check_server
from streams.intake.stored import check_stored
from streams.io import tracing
from streams.io.pulse import Pulse
from streams.io.store import Store, StoreError, open_store

log = logging.getLogger("repmon.stages")


def batch_readers(
    settings: Settings,
    refused: Refused | None = None,
    owners: Owners | None = None,
    known: KnownCustomers | None = None,
    names: KnownNames | None = None,
) -> dict[str, BatchReader]:
    """How each configured source topic is read. With `refused` mail is recorded that nobody wanted. `owners` are in
    place of those of the settings alone. With those who are `known` new customers are bounded,
    with known `names` new streams, addresses and the like.

    Raises:
        SettingsError: an unknown format.
    """
    context = replace(adapt_context(settings), hash_all=refused is not None, find_by_message=True, replies={})
    context = context if owners is None else replace(context, owners=owners)
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
            admission=None if known is None else Admission(topic, known, settings.ingest.new_customers_per_hour),
            names=None if names is None else NameGate(topic, names, new_names_per_hour(settings.ingest)),
        )
    return found


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
    owners = adapt_context(settings).owners
    tracing.start(settings.trace, "ingest")
    known = KnownCustomers(set())
    names = KnownNames()
    readers = batch_readers(settings, refused, owners, known, names)
    store = open_store(settings.clickhouse)
    beside: list[Pulse[None]] = []
    try:
        if looks_for_domains(settings):
            registered = RegisteredDomains(owners, lambda: open_store(settings.clickhouse))
            registered.look()
            beside.append(registered.pulse())
        for said in (*check_generation(store), *check_server(store, settings.ingest.lease_s)):
            log.warning("%s", said)
        learn_customers(known, store, utc_now_ms())
        learn_names(names, store, utc_now_ms())
        for fault in check_stored(store, settings.ingest, utc_now_ms()):
            log.error("%s", fault.detail)
    except (StoreError, SettingsError):
        store.close()
        raise
    return IngestWorker(settings.kafka, settings.ingest, store, readers, refused=refused, beside=beside), store
