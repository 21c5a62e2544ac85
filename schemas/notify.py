"""Where alerts and other events go (`repmon notify`): routes, each with what it takes and whom it tells."""

import re
from collections.abc import Iterator
from datetime import time
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Meta

from schemas.alert import TransitionKind
from schemas.errors import InvalidInputError
from schemas.events import TYPES
from schemas.levels import Level
from schemas.policy_metric import Metric
from schemas.secrets import Address, Secret, Section, without_user

Seconds = Annotated[float, Meta(gt=0, le=600, extra={"unit": "s"})]
Hours = Annotated[float, Meta(gt=0, le=720, extra={"unit": "h"})]
#: What is collected for longer than a day is a report.
DigestMinutes = Annotated[float, Meta(ge=0, le=1440, extra={"unit": "min"})]
RepostMinutes = Annotated[float, Meta(ge=0.1, le=60, extra={"unit": "min"})]
Count = Annotated[int, Meta(ge=1, le=100)]
RouteName = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9_.-]{0,63}\Z")]

#: `22:00`, in a route's own time zone.
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
MAIL_ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")
#: A key of Standard Webhooks, in bytes (standard-webhooks, spec/standard-webhooks.md, "Signature scheme").
LEAST_KEY_BYTES, MOST_KEY_BYTES = 24, 64


class NotifyError(InvalidInputError):
    """A route is wrong; the message names it and what of it."""


class Webhook(Section, forbid_unknown_fields=True, kw_only=True, frozen=True, tag_field="kind", tag="webhook"):
    """Signed webhooks (Standard Webhooks): the event as it is, or with `digest_minutes` an array of events."""

    url: Address
    """Where events are posted to."""
    secrets: tuple[Secret, ...] = ()
    """Keys to sign with, `whsec_` and base64, as `openssl rand -base64 32` makes them. While keys change there are two:
    each signs."""
    secret_files: tuple[str, ...] = ()
    """Files with one key a line, in place of `secrets`."""
    ca_file: str = ""
    """Who is trusted where `url` is https, as a PEM file; empty is the system's authorities."""


class Alertmanager(
    Section, forbid_unknown_fields=True, kw_only=True, frozen=True, tag_field="kind", tag="alertmanager"
):
    """Prometheus' Alertmanager (API v2)."""

    url: Address
    """Its address, without `/api/v2/alerts`."""
    user: str = ""
    """Who logs in, with `password`; or nobody."""
    password: Secret = ""
    """See `user`."""
    password_file: str = ""
    """A file with the password, in place of `password`."""
    labels: dict[str, str] = {}
    """Labels that every alert gets besides its own."""
    repost_minutes: RepostMinutes = 1.0
    """How often what is open is posted again: an Alertmanager that restarts has forgotten it."""
    end_hours: Hours = 24.0
    """An open alert is posted with an end so far ahead. It is over then if nothing was posted meanwhile."""
    ca_file: str = ""
    """Who is trusted where `url` is https, as a PEM file; empty is the system's authorities."""


class PagerDuty(Section, forbid_unknown_fields=True, kw_only=True, frozen=True, tag_field="kind", tag="pagerduty"):
    """PagerDuty (Events API v2): an incident for each alert, acknowledged and resolved with it."""

    routing_key: Secret = ""
    """The integration key of a service or rule set."""
    routing_key_file: str = ""
    """A file with the key, in place of `routing_key`."""
    url: Address = "https://events.pagerduty.com/v2/enqueue"
    """Where events are posted to; accounts in the EU have `https://events.eu.pagerduty.com/v2/enqueue`."""


class Email(Section, forbid_unknown_fields=True, kw_only=True, frozen=True, tag_field="kind", tag="email"):
    """Mail by SMTP, a text for operators."""

    to: tuple[str, ...]
    """Who gets it: a mail to each."""
    sender: str
    """Whom it is from."""
    host: str = "127.0.0.1"
    """The mail server that takes it."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 25
    """Its port."""
    tls: Literal["none", "starttls", "tls"] = "starttls"
    """Whether it is spoken to encrypted: not at all, from STARTTLS on, or from the beginning (port 465)."""
    user: str = ""
    """Who logs in, with `password`; or nobody."""
    password: Secret = ""
    """See `user`."""
    password_file: str = ""
    """A file with the password, in place of `password`."""
    subject: str = "[$level] $customer: $metric"
    """The subject, with the names that docs/notify.md lists."""
    text_file: str = ""
    """A file with the text, with such names; empty is the built-in one."""
    ca_file: str = ""
    """Who is trusted, as a PEM file; empty is the system's authorities."""


class Chat(Section, forbid_unknown_fields=True, kw_only=True, frozen=True, tag_field="kind", tag="chat"):
    """Chat and a hundred other services, by Apprise."""

    url: Secret = ""
    """Where to, as Apprise writes it (`slack://...`, `msteams://...`, `tgram://...`)."""
    url_file: str = ""
    """A file with the address, in place of `url`."""
    subject: str = "[$level] $customer: $metric"
    """The title, with the names that docs/notify.md lists."""
    text_file: str = ""
    """A file with the text, with such names; empty is the built-in one."""


Target = Webhook | Alertmanager | PagerDuty | Email | Chat


class Quiet(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Hours in which a route waits. What comes then is sent when they are over."""

    zone: str = "UTC"
    """The time zone, an IANA name."""
    begin: str
    """When they begin, as `22:00`."""
    end: str
    """When they end, as `07:00`; before `begin` it is the next day."""
    passes: tuple[Level, ...] = ("critical",)
    """Levels that do not wait; what waits of the same customer goes first. Neither does what is no alert."""


class Route(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Who is told of what. A list that is empty takes everything; names may hold `*`. An event that several routes take
    goes to each."""

    name: RouteName
    """Its name: small letters, digits, `.`, `_`, `-`. Under another name it is another route."""
    target: Target
    """Whom it tells."""
    events: tuple[str, ...] = ("alert.*",)
    """Types of events, without `org.repmon.` and `.v1`: `alert.opened`, `incident.*`, `hold.*`."""
    levels: tuple[Level, ...] = ()
    """Levels of alerts. One that leaves them is sent too, so that who heard of it hears that it is over."""
    metrics: tuple[Metric, ...] = ()
    """Metrics of alerts."""
    kinds: tuple[TransitionKind, ...] = ()
    """What happens to alerts."""
    customers: tuple[str, ...] = ()
    """Customers."""
    plans: tuple[str, ...] = ()
    """Plans of customers (`repmon customers`)."""
    streams: tuple[str, ...] = ()
    """Streams: alerts on these alone."""
    providers: tuple[str, ...] = ()
    """Mailbox providers that are in the evidence of an alert."""
    held: bool = False
    """Whether alerts are sent that are held, on which nobody is to act yet. Else they are sent once confirmed."""
    digest_minutes: DigestMinutes = 0.0
    """What comes within this time goes out together; 0 is each by itself."""
    quiet: Quiet | None = None
    """Hours in which it waits."""
    allow_private: bool = False
    """Whether the target may have an address that is not public: of this machine, or of your own networks."""
    timeout_s: Seconds = 10.0
    """How long the target may take."""
    concurrency: Count = 8
    """How many notifications are under way at a time; of one customer it is always one."""


class Notify(Section, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Who is told of alerts and other events (docs/notify.md)."""

    retry_hours: Hours = 24.0
    """How long what a target did not take is tried again."""
    routes: tuple[Route, ...] = ()
    """The routes, each a table `[[notify.routes]]`."""


def check_notify(notify: Notify) -> None:
    """What types do not say of routes.

    Raises:
        NotifyError: naming the route and its setting.
    """
    seen: set[str] = set()
    for route in notify.routes:
        where = f"notify.routes, {route.name!r}"
        if route.name in seen:
            raise NotifyError(f"{where}: two routes have this name")
        seen.add(route.name)
        for fault in _faults(route):
            raise NotifyError(f"{where}: {fault}")


def _faults(route: Route) -> Iterator[str]:
    target = route.target
    yield from _faults_of_events(route)
    if isinstance(target, Alertmanager | PagerDuty):
        yield from _faults_of_state(route, "alertmanager" if isinstance(target, Alertmanager) else "pagerduty")
    if isinstance(target, Webhook | Alertmanager | PagerDuty):
        yield from _fault_of_url(target.url)
    if isinstance(target, Email):
        yield from _faults_of_mail(target)
    if isinstance(target, Alertmanager | Email):
        yield from _faults_of_login(target)
    for name, other in NEEDED.get(type(target), ()):
        yield from _one_of(name, bool(getattr(target, name)), other, bool(getattr(target, other)))
    if route.quiet is not None:
        yield from _faults_of_quiet(route.quiet)


def _faults_of_events(route: Route) -> Iterator[str]:
    """A type that there is none of would be waited for in silence."""
    kinds = [each.removeprefix("org.repmon.").removesuffix(".v1") for some in TYPES.values() for each in some]
    for wanted in route.events:
        pattern = ".*".join(map(re.escape, wanted.split("*")))
        if not any(re.fullmatch(pattern, each) for each in kinds):
            yield f"events: there is no type {wanted!r}; there are {', '.join(kinds)}"


#: Settings of which one is needed, and no more than one.
NEEDED: dict[type, tuple[tuple[str, str], ...]] = {
    Webhook: (("secrets", "secret_files"),),
    PagerDuty: (("routing_key", "routing_key_file"),),
    Chat: (("url", "url_file"),),
}


def _faults_of_state(route: Route, kind: str) -> Iterator[str]:
    """What is told of states must hear of all their changes."""
    if route.digest_minutes:
        yield f"digest_minutes: {kind} groups by itself; leave it out"
    if route.kinds:
        yield f"kinds: {kind} must hear of every change, or nothing is ever over there; use `levels`"
    if route.events != ("alert.*",):
        yield f"events: {kind} takes alerts alone, and all changes of each; leave it out"


def _faults_of_login(target: Alertmanager | Email) -> Iterator[str]:
    if target.password and target.password_file:
        yield "target.password: give `password` or `password_file`, not both"
    if bool(target.user) != bool(target.password or target.password_file):
        yield "target.user: a user needs a password, and a password a user"


def _one_of(name: str, given: bool, other: str, other_given: bool) -> Iterator[str]:
    if given and other_given:
        yield f"target.{name}: give `{name}` or `{other}`, not both"
    elif not given and not other_given:
        yield f"target.{name}: is missing; give `{name}` or `{other}`"


def _fault_of_url(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        yield f"target.url: {without_user(url)!r} is not an http or https address"
    elif "@" in parts.netloc:
        yield "target.url: must not hold a user or password"
    elif parts.fragment:
        yield "target.url: what is behind `#` is sent nowhere; leave it out"


def _faults_of_mail(target: Email) -> Iterator[str]:
    if not target.to:
        yield "target.to: names nobody"
    for name, address in (("sender", target.sender), *(("to", each) for each in target.to)):
        if not MAIL_ADDRESS.fullmatch(address) or not address.isprintable():
            yield f"target.{name}: {address!r} is not a mail address"
    if target.user and target.tls == "none":
        yield 'target.tls: a password is sent encrypted alone; "starttls" or "tls"'


def _faults_of_quiet(quiet: Quiet) -> Iterator[str]:
    try:
        ZoneInfo(quiet.zone)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        yield f"quiet.zone: there is no time zone {quiet.zone!r}; an IANA name such as `Europe/Berlin`"
    for name, text in (("begin", quiet.begin), ("end", quiet.end)):
        if not CLOCK.fullmatch(text):
            yield f"quiet.{name}: {text!r} is not a time of day such as `22:00`"
    if quiet.begin == quiet.end:
        yield "quiet.end: is the same as `begin`, which would be all day or never"


def clock_time(text: str) -> time:
    """`22:00` as a time of day, once checked."""
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))
