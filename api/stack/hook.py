"""A suspension hook made of the settings: its targets, what it records, and the mails to customers."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage

from jobs.hooks.context import HOOK, HookContext
from jobs.hooks.dry import DryTarget
from jobs.hooks.ladder import UNSET
from jobs.hooks.lines import Note, Say
from jobs.hooks.measure import Mode
from jobs.hooks.outbox import Lease, MeasureOutbox
from jobs.hooks.stored import account_of, last_alerts
from jobs.hooks.suspend_hook import HookProcess
from jobs.hooks.targets.base import HookTarget, Order
from jobs.hooks.targets.command import CommandTarget
from jobs.hooks.targets.http import HttpTarget
from jobs.hooks.targets.kumomta import KumoMta
from jobs.hooks.targets.kumomta_throttle import KumoMtaThrottle
from jobs.hooks.targets.mail import Build, MailTarget
from jobs.hooks.targets.ses import Ses
from jobs.hooks.targets.sigv4 import Credentials
from jobs.mail.facts import MailFacts, MailKind
from jobs.mail.mail import MailWriter, message
from jobs.operator.audit import Decision, record_decisions
from jobs.operator.decisions import LONGEST_WHY
from jobs.operator.suspensions import suspend, unsuspend
from schemas import blocklists
from schemas.breaker_event import BreakerChange, breaker_event
from schemas.hook import HookAction
from schemas.hook_check import check_files, password_of
from schemas.settings import Settings, SettingsError
from schemas.times import utc_now_ms, utc_time
from schemas.wording import rfc3339_ms
from streams.decisions.suspensions import suspension
from streams.io.deployment import read_deployment
from streams.io.outgoing import Outgoing, store_outgoing
from streams.io.store import Store, open_store

log = logging.getLogger("repmon.suspend_hook")
NO_LADDER = (
    "hook.ladder: is empty, so there is nothing to do; --act needs an action and a level from which on it is done "
    "(docs/suspending.md). Without --act it only says whom it would suspend"
)


class StoredRecords:
    """Records in the store, as those of people are."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, notes: Sequence[Note]) -> None:
        """Add rows to the table `audit`."""
        record_decisions(
            self._store,
            [
                Decision(utc_time(each.time_ms), HOOK, each.action, each.customer, each.subject, each.why, each.detail)
                for each in notes
            ],
        )

    def suspended(self, customer: str, why: str, now_ms: int) -> None:
        """Record that a customer is suspended, unless it is recorded so."""
        if suspension(self._store, customer) is None:
            suspend(self._store, customer, by=HOOK, why=shortened(why), now_ms=now_ms)

    def unsuspended(self, customer: str, why: str, now_ms: int) -> None:
        """Record that it is no more, if the hook had suspended it."""
        found = suspension(self._store, customer)
        if found is not None and found.by == HOOK:
            unsuspend(self._store, customer, by=HOOK, why=shortened(why), now_ms=now_ms)

    def breaker_opened(self, why: str, now_ms: int) -> None:
        """Call somebody: an event, which a monitor sends."""
        change = BreakerChange(kind="opened", by=HOOK, why=why, time_ms=now_ms)
        store_outgoing(self._store, [Outgoing(breaker_event(change), now_ms)])


def shortened(why: str) -> str:
    """A reason as long as people may give one."""
    return why if len(why) <= LONGEST_WHY else why[: LONGEST_WHY - 1] + "…"


def run_hook(settings: Settings, say: Say, stop: threading.Event, *, act: bool, from_beginning: bool = False) -> None:
    """Read alerts and act on them until `stop` is set; without `act` only say what would be done.

    Raises:
        SettingsError: nothing is configured that it could do, or a file of it cannot be read.
        BrokerError: the broker cannot be reached, or refuses.
        StoreError: the store cannot be reached, or is not migrated.
    """
    if act and not settings.hook.ladder:
        raise SettingsError(NO_LADDER)
    check_actions(settings)  # before anybody is waited for
    store = open_store(settings.clickhouse)
    try:
        context = make_context(settings, store, say, "act" if act else "dry")
        HookProcess(settings.kafka, context, stop, from_beginning=from_beginning).run()
    finally:
        store.close()


def make_context(
    settings: Settings, store: Store, say: Say, mode: Mode, clock: Callable[[], int] = utc_now_ms
) -> HookContext:
    """All that a hook of a mode needs, over a store that is open.

    Raises:
        SettingsError: a file that the settings name cannot be read.
        StoreError: the store failed.
    """
    hook = settings.hook
    mails = any(each.kind == "mail" for each in hook.actions.values())
    build = mail_builder(settings, store) if mails else no_mail
    targets: dict[str, HookTarget] = {name: make_target(name, each, build) for name, each in hook.actions.items()}
    if mode == "dry":
        targets = {name: DryTarget(each) for name, each in targets.items()}
        targets.setdefault(UNSET, DryTarget(None))
    lease = Lease(store, mode, hook.lease_s, clock)
    return HookContext(
        store=store,
        hook=hook,
        lease=lease,
        outbox=MeasureOutbox(store, lease),
        targets=targets,
        records=StoredRecords(store),
        say=say,
        deployment=read_deployment(store, settings.deployment.name),
        clock=clock,
    )


def check_actions(settings: Settings) -> None:
    """What the settings name of files, programs and templates.

    Raises:
        InvalidInputError: one of them is missing, or cannot be used; naming the setting, or the file.
    """
    for name, action in settings.hook.actions.items():
        make_target(name, action, no_mail)
        if action.kind == "mail":
            MailWriter(settings.mail)


def make_target(name: str, action: HookAction, build: Build) -> HookTarget:
    """What an action of the settings asks.

    Raises:
        SettingsError: a password is missing, its file cannot be read, or there is no such program or file.
    """
    password = password_of(name, action)
    check_files(name, action)
    match action.kind:
        case "kumomta":
            return KumoMta(name, action, password)
        case "kumomta-throttle":
            return KumoMtaThrottle(name, action, password)
        case "ses":
            return Ses(name, action, _credentials(name, action, password))
        case "http":
            return HttpTarget(name, action, password)
        case "command":
            return CommandTarget(name, action)
        case "mail":
            return MailTarget(name, action, password, build, time.time)


def mail_builder(settings: Settings, store: Store) -> Build:
    """Makes the mail that tells a customer what was done.

    Raises:
        SettingsError: a template or a language of the settings cannot be used.
    """
    zones = blocklists.in_force(settings.blocklists)
    writer = MailWriter(settings.mail, {zone.zone: zone.delisting for zone in zones if zone.delisting})

    def build(order: Order) -> tuple[str, EmailMessage]:
        now_ms = utc_now_ms()
        account = account_of(store, order.customer)
        alerts = last_alerts(store, order.customer)
        known = next((alerts[each] for each in order.alert_ids if each in alerts), None)
        facts = MailFacts(
            kind=mail_kind(order),
            customer=order.customer,
            time_ms=now_ms if known is None else rfc3339_ms(known.time),
            alert=None if known is None else known.data,
            scope=order.scope,
            since_ms=now_ms,
        )
        mail = message(writer.mail(facts, account.language), sender="", recipient="", now_ms=now_ms)
        return account.contact, mail

    return build


def no_mail(order: Order) -> tuple[str, EmailMessage]:
    """No action sends any."""
    raise AssertionError(order)


def mail_kind(order: Order) -> MailKind:
    """What the customer is told: that mail was stopped or slowed down, or is no more, or else what the alert says."""
    if order.about == "suspend":
        return "lifted" if order.operation == "lift" else "suspended"
    if order.about == "throttle":
        return "unslowed" if order.operation == "lift" else "slowed"
    return "resolved" if order.operation == "lift" or order.level == "good" else order.level


def _credentials(name: str, action: HookAction, password: str) -> Credentials:
    """Those of the settings, or of the environment as AWS's own tools read them."""
    if action.access_key_id:
        return Credentials(action.access_key_id, password)
    found = [os.environ.get(f"AWS_{each}", "") for each in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")]
    if not found[0] or not found[1]:
        raise SettingsError(
            f"hook.actions.{name}.access_key_id: is empty, and so is AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY in the "
            "environment"
        )
    return Credentials(*found)
