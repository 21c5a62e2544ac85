"""How source topics are read: formats, mappings and bounce rules of the settings, and the worker that reads by them."""

from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas import providers
from schemas.blocklists import load_zones
from schemas.settings import FormatMapping, Settings, SettingsError
from schemas.times import utc_now_ms
from schemas.topics import MAIL_BLOCKLISTINGS
from streams.adapt import (
    FORMATS,
    LISTING_FORMATS,
    NO_LATE_MARK,
    AdaptError,
    Context,
    FormatOptions,
    Lists,
    adapter,
    listing_adapter,
)
from streams.bounces.classify import BounceClassifier, load_bounce_classifier
from streams.intake.batch import BatchReader, MailReader, time_bounds
from streams.intake.ingest import IngestWorker
from streams.intake.listing_readers import OutsideListingReader
from streams.intake.refusals import Refused
from streams.io.store import Store, open_store


def batch_readers(settings: Settings, refused: Refused | None = None) -> dict[str, BatchReader]:
    """How each configured source topic is read. With `refused` mail is recorded that nobody wanted.

    Raises:
        SettingsError: an unknown format.
    """
    context = replace(adapt_context(settings), hash_all=refused is not None)
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
        )
    return found


def adapt_context(settings: Settings, customer: str = "") -> Context:
    """What adapters need besides the bytes; `customer` is who records belong to that name nobody.

    Raises:
        SettingsError: a mapping of an unknown format, a time zone that is none, a hash key that cannot be one.
        BlocklistsError: the table of zones cannot be used.
    """
    if unknown := sorted(set(settings.ingest.mapping) - set(FORMATS)):
        raise SettingsError(f"ingest.mapping: there is no format {', '.join(unknown)}; known are {', '.join(FORMATS)}")
    found = {name: settings.ingest.mapping.get(name, FormatMapping()) for name in FORMATS}
    mapping = {
        name: FormatOptions(
            customer=each.customer,
            default_customer=customer or each.default_customer,
            stream=each.stream,
            sub_account=each.sub_account,
            pool=each.pool,
            dkim_domain=each.dkim_domain,
            columns=each.columns,
            time_zone=_zone(name, each.time_zone),
        )
        for name, each in found.items()
    }
    try:
        return Context(
            settings.ingest.hash_key.encode(),
            providers.load_providers(),
            mapping,
            clock=utc_now_ms,
            lists=_lists(settings),
        )
    except ValueError as error:
        raise SettingsError(f"ingest.hash_key: {error}") from error


def _lists(settings: Settings) -> Lists:
    """What listings weigh that outside monitors report."""
    own = settings.blocklists
    zones = load_zones(Path(own.zones_file) if own.zones_file else None)
    weights = {name.lower().rstrip("."): weight for name, weight in own.outside_weights.items()}
    unknown = None if own.outside_weight == "refuse" else own.outside_weight
    return Lists({zone.zone: zone for zone in zones}, weights, unknown)


def _zone(format_name: str, name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"ingest.mapping.{format_name}.time_zone: there is no time zone {name!r}") from error


def load_classifier(settings: Settings) -> BounceClassifier:
    """The rules by which bounces are classified, the operator's own before the project's.

    Raises:
        RulesError, ProvidersError: naming the file and what is wrong in it.
    """
    own = settings.ingest.bounce_rules
    return load_bounce_classifier(own=Path(own) if own else None)


def ingest_worker(settings: Settings) -> tuple[IngestWorker, Store]:
    """A worker and the store connection that is its own.

    Raises:
        SettingsError, BrokerError, StoreError: what is wrong or out of reach.
    """
    refused = Refused() if settings.ingest.refusals else None
    readers = batch_readers(settings, refused)
    store = open_store(settings.clickhouse)
    return IngestWorker(settings.kafka, settings.ingest, store, readers, refused=refused), store
