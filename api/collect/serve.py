"""`repmon collect`: the collector as a process of its own."""

import contextlib
import socket

import uvicorn

from api.collect.app import Collector, create_app
from api.collect.certificates import Certificates, fetch
from api.collect.deliver import Deliverer
from api.collect.sources import prepare
from api.http.bounded import bounded
from schemas.settings import Settings, SettingsError


def build_collector(settings: Settings) -> Collector:
    """A collector whose broker has answered and whose topics are there.

    Raises:
        SettingsError: no source, or a wrong one.
        BrokerError: no answer, or a topic is missing.
    """
    if not settings.collect.sources:
        raise SettingsError("collect.sources: there is none; see docs/webhooks.md")
    if not settings.collect.lmtp and (unused := [n for n, each in settings.collect.sources.items() if each.addresses]):
        raise SettingsError(f"collect.sources.{unused[0]}: addresses is not used: collect.lmtp is not set")
    sources = prepare(settings.collect.sources, Certificates())
    deliverer = Deliverer(settings.kafka, settings.collect.acknowledge_s, settings.collect.max_inflight_bytes)
    collector = Collector(settings.collect, sources, deliverer, fetch)
    deliverer.check(collector.topics)
    return collector


def serve(collector: Collector, listening: socket.socket, lmtp: socket.socket | None = None) -> None:
    """Answer until Ctrl-C or SIGTERM; requests and mails under way are answered first."""
    config = uvicorn.Config(
        create_app(collector, lmtp),
        **bounded(),
        log_level="warning",
        timeout_graceful_shutdown=round(collector.patience_s),
    )
    with listening, contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
