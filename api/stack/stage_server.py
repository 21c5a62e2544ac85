"""The health and the metrics of a stage that runs by itself, from before it begins until it has ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from api.http.health import StageHealth
from api.http.metrics import StageServer
from schemas.settings import Settings


@contextmanager
def served(health: StageHealth, settings: Settings) -> Iterator[StageHealth]:
    """Serve where `metrics.port` says, if it says so; nothing is asked otherwise.

    Raises:
        SettingsError: the port cannot be used.
    """
    if not settings.metrics.port:
        yield health
        return
    server = StageServer(settings.metrics.host, settings.metrics.port, health.metrics, health.verdict)
    health.start()
    try:
        yield health
    finally:
        server.close()
        health.stop()
