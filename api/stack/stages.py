"""Each stage as it runs by itself: opened from settings, run until told to stop. `up` runs them all together."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.text.alert import load_template
from schemas import policy, providers
from schemas.applied_policy import AppliedPolicy
from schemas.blocklists import load_zones
from schemas.policy_metric import PolicyError
from schemas.settings import FormatMapping, Settings, SettingsError
from schemas.times import utc_now_ms, utc_time
from schemas.topics import MAIL_BLOCKLISTINGS, REPUTATION_CHANGES
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
from streams.decisions.applied_policies import PolicyWatch, newest, policy_of
from streams.decisions.stored_overrides import OverrideWatch
from streams.intake.batch import BatchReader, take_mail, take_outside
from streams.intake.ingest import IngestWorker, bounds
from streams.intake.refusals import Refused
from streams.io.broker import Publisher
from streams.io.store import Store, open_store
from streams.listings.causes import ListingCauses
from streams.monitor.agent import Monitor
from streams.monitor.batch import BatchJudge

log = logging.getLogger("repmon.stages")

#: How often the HTTP interface looks whether another policy is in force.
POLICY_S = 5.0


def takes(settings: Settings, refused: Refused | None = None) -> dict[str, BatchReader]:
    """How each configured source topic is read. With `refused` mail is noted that nobody wanted.

    Raises:
        SettingsError: an unknown format.
    """
    context = replace(adapt_context(settings), hash_all=refused is not None)
    classify = load_classifier(settings)
    found = {}
    for topic, format_name in settings.ingest.formats.items():
        if topic == MAIL_BLOCKLISTINGS:
            raise SettingsError(f"ingest.formats: {topic} has its own format and takes no other")
        if format_name in LISTING_FORMATS:
            found[topic] = take_outside(listing_adapter(format_name), context, bounds(settings.ingest))
            continue
        try:
            adapt = adapter(format_name)
        except AdaptError as error:
            raise SettingsError(f"ingest.formats: {topic}: {error}") from error
        find_late = settings.ingest.late_bounces and format_name in NO_LATE_MARK
        found[topic] = take_mail(
            adapt,
            # Who mail was delivered to is told by the hash of his address.
            replace(context, hash_all=context.hash_all or find_late),
            classify,
            bounds(settings.ingest),
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
    """What listings weigh that outside monitors tell of."""
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


def load_policy(settings: Settings) -> policy.Policy:
    """The policy of the file that the settings name, or the built-in one: what is in force where none was applied.

    Raises:
        PolicyError: naming file, rule and field.
    """
    return policy.load_policy(Path(settings.policy.file) if settings.policy.file else None)


class InForce(NamedTuple):
    """The policy in force, and where it is from. `applied` is None where it was not applied."""

    policy: policy.Policy
    applied: AppliedPolicy | None
    source: str


def policy_in_force(settings: Settings, store: Store) -> InForce:
    """What is judged by: the file that the settings name; else the policy applied last; else the built-in one.

    Raises:
        PolicyError: it cannot be understood.
        StoreError: the store failed.
    """
    if settings.policy.file:
        return InForce(load_policy(settings), None, f"the file {settings.policy.file}, named by policy.file")
    if (applied := newest(store)) is None:
        return InForce(load_policy(settings), None, "built in")
    when = utc_time(applied.applied_ms)
    return InForce(policy_of(applied), applied, f"applied {when:%Y-%m-%dT%H:%M:%SZ} by {applied.applied_by}")


class PolicyInForce:
    """The policy in force, looked up at most every few seconds; any thread may ask."""

    def __init__(self, settings: Settings, known: policy.Policy) -> None:
        self._settings = settings
        # A monitor's has operators' decisions in it.
        self._known = load_policy(settings) if settings.policy.file else known
        self._asked_s = float("-inf")
        self._lock = threading.Lock()

    def __call__(self, store: Store) -> policy.Policy:
        """The policy, without what operators decided. One that cannot be understood is logged, and the one before
        stays.

        Raises:
            StoreError: the store failed.
        """
        with self._lock:
            now_s = time.monotonic()
            if self._settings.policy.file or now_s < self._asked_s + POLICY_S:
                return self._known
            try:
                self._known = policy_in_force(self._settings, store).policy
            except PolicyError as error:
                log.warning("the policy stays as it was: %s", error)
            self._asked_s = now_s
            return self._known


def ingest_worker(settings: Settings) -> tuple[IngestWorker, Store]:
    """A worker and the store connection that is its own.

    Raises:
        SettingsError, BrokerError, StoreError: what is wrong or out of reach.
    """
    refused = Refused() if settings.ingest.refusals else None
    reads = takes(settings, refused)
    store = open_store(settings.clickhouse)
    return IngestWorker(settings.kafka, settings.ingest, store, reads, refused=refused), store


class MonitorStage:
    """A monitor with its connections. `start` and `stop` belong to one event loop."""

    def __init__(self, settings: Settings, data: Path) -> None:
        load_template(settings.alerts.text_file)  # a mistake in it is told at the start
        self._publisher = Publisher(settings.kafka)
        self._store = open_store(settings.clickhouse)
        in_force = policy_in_force(settings, self._store)
        log.info("judging by policy %s (%s)", in_force.policy.version, in_force.source)
        # A file that the settings name stays in force whatever is applied.
        applied = None if settings.policy.file else PolicyWatch(self._store, in_force.applied).newer
        watch = OverrideWatch(self._store, in_force.policy, applied, utc_now_ms)
        self.judge = BatchJudge(
            self._store,
            watch.newer() or in_force.policy,
            providers.load_providers(),
            self._publisher.publish,
            self._publisher.flush,
            settings.monitor,
        )
        partitions = self._publisher.partitions(REPUTATION_CHANGES)
        causes = ListingCauses(self._store, settings.blocklists.dedicated_pools)
        self._monitor = Monitor(
            settings.kafka, settings.monitor, self.judge, data, partitions, watch.newer, causes.refresh
        )

    async def start(self) -> None:
        """Begin to judge."""
        await self._monitor.start()

    async def stop(self, patience_s: float | None = None) -> None:
        """Finish what is in hand, for no longer than `patience_s`."""
        idle = await self._monitor.stop(patience_s)
        await asyncio.to_thread(self._publisher.flush, 30.0 if patience_s is None else patience_s)
        if idle:
            self._store.close()  # never under a query that still runs


class IngestThread:
    """An ingest worker on a thread of its own; `failed` is called with what ended it, if anything did."""

    def __init__(self, settings: Settings, failed: Callable[[BaseException], None]) -> None:
        self.worker, self._store = ingest_worker(settings)
        self._failed = failed
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Begin to take events in."""
        self._thread.start()

    def end(self, timeout_s: float) -> bool:
        """Stop; True if it ended within `timeout_s`."""
        self.stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def drained(self, timeout_s: float) -> bool:
        """Wait until nothing more comes and everything is stored; then stop."""
        self.worker.when_drained(self.stop.set)
        return self.stop.wait(timeout_s)

    def _run(self) -> None:
        try:
            self.worker.run(self.stop)
        except Exception as error:
            self._failed(error)
        finally:
            self._store.close()
