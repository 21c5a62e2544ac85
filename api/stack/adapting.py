"""What adapters and the classifier of bounces go by: mappings, time zones, blocklists and rules of the settings."""

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas import providers
from schemas.blocklists import load_zones
from schemas.nearest import meant
from schemas.settings import FormatMapping, Settings, SettingsError
from schemas.times import utc_now_ms
from streams.adapt import FORMATS, Context, FormatOptions, Lists
from streams.adapt.base import ReportTrust
from streams.adapt.owners import Owners
from streams.bounces.classify import BounceClassifier, load_bounce_classifier

#: Where no key is set: for what is shown, and not stored.
NO_KEY = b"not set"


def adapt_context(settings: Settings, customer: str = "") -> Context:
    """What adapters need besides the bytes; `customer` is who records belong to that name nobody.

    Raises:
        SettingsError: a mapping of an unknown format, a time zone that is none.
        BlocklistsError: the table of zones cannot be used.
    """
    if unknown := sorted(set(settings.ingest.mapping) - set(FORMATS)):
        known = f"known are {', '.join(FORMATS)}{meant(unknown[0], FORMATS)}"
        raise SettingsError(f"ingest.mapping: there is no format {', '.join(unknown)}; {known}")
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
            trust=_trust(each),
            deliveries=each.deliveries,
            filters=frozenset(map(str.lower, each.filters)),
            smarthosts=frozenset(map(str.lower, each.smarthosts)),
        )
        for name, each in found.items()
    }
    return Context(
        settings.ingest.hash_key.encode() or NO_KEY,
        providers.load_providers(),
        mapping,
        clock=utc_now_ms,
        lists=_lists(settings),
        owners=Owners(settings.ingest.domain_owners, settings.ingest.address_owners),
    )


def _trust(mapping: FormatMapping) -> ReportTrust:
    return ReportTrust(
        mapping.reporters,
        tuple(each.lower().strip(".") for each in mapping.reporter_domains),
        tuple(each.lower() for each in mapping.authserv_ids),
        mapping.max_recipients,
        mapping.max_per_hour,
    )


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
