"""Targets made of the settings: whatever of a route cannot be used is said here, at the start."""

import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

from jobs.notify.addresses import is_public
from jobs.notify.posting import Poster
from jobs.notify.targets.alertmanager import AlertmanagerSender
from jobs.notify.targets.mail import MailSender
from jobs.notify.targets.pagerduty import PagerDutySender
from jobs.notify.targets.sending import TargetSender
from jobs.notify.targets.webhook import WebhookSender
from schemas.notify import Alertmanager, Email, NotifyError, PagerDuty, Route, Target, Webhook


def senders(routes: Iterable[Route]) -> dict[str, TargetSender]:
    """What sends for each route.

    Raises:
        NotifyError: naming the route and its setting.
    """
    found: dict[str, TargetSender] = {}
    for route in routes:
        try:
            found[route.name] = _sender(route)
        except NotifyError as error:
            raise NotifyError(f"notify.routes, {route.name!r}: {error}") from error
        except (OSError, ssl.SSLError) as error:
            raise NotifyError(f"notify.routes, {route.name!r}: target.ca_file: cannot be used: {error}") from error
    return found


def check_routes(routes: Iterable[Route]) -> None:
    """Say what of a route cannot be used, without anything else.

    Raises:
        NotifyError: naming the route and its setting.
    """
    senders(routes)


def _sender(route: Route) -> TargetSender:
    target = route.target
    if not route.allow_private:
        _check_public(target)
    if isinstance(target, Webhook):
        return WebhookSender(target, _poster(route, target.ca_file), digest=route.digest_minutes > 0)
    if isinstance(target, Alertmanager):
        return AlertmanagerSender(target, route, _poster(route, target.ca_file))
    if isinstance(target, PagerDuty):
        return PagerDutySender(target, route, _poster(route))
    if isinstance(target, Email):
        return MailSender(target, route)
    from jobs.notify.targets.chat import ChatSender

    return ChatSender(target, route)


def _check_public(target: Target) -> None:
    """An address that is written as such is known now; a name is looked up before each request.

    Raises:
        NotifyError: it is not public.
    """
    name, host = "host", target.host if isinstance(target, Email) else ""
    if isinstance(target, Webhook | Alertmanager | PagerDuty):
        name, host = "url", urlsplit(target.url).hostname or ""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise NotifyError(f"target.{name}: {host} is not a public address; allow it with `allow_private = true`")


def _poster(route: Route, ca_file: str = "") -> Poster:
    return Poster(allow_private=route.allow_private, timeout_s=route.timeout_s, ca_file=ca_file)
