"""What the stages of this process say of themselves, for Prometheus: `/metrics`, and `/healthz` of a stage alone."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.settings import SettingsError
from streams.io.instrument import readings

#: A stage's metrics by the stage's name; a function, since a stage may be made again.
Stages = Callable[[], Mapping[str, Any]]


class StageCollector(Collector):
    """Reads the numbers when they are asked for, so counting costs the stages nothing."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def collect(self) -> Iterator[Metric]:
        """Every metric of every stage, as `repmon_STAGE_NAME`."""
        for stage, numbers in self._stages().items():
            for each in readings(numbers):
                family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
                yield family(f"repmon_{stage}_{each.name}", each.help, value=each.value)


def registry(stages: Stages) -> CollectorRegistry:
    """A registry of these stages alone."""
    made = CollectorRegistry()
    made.register(StageCollector(stages))
    return made


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


class StageServer:
    """Serves the metrics and the health of a stage that runs by itself. A port of 0 serves nothing."""

    def __init__(self, host: str, port: int, stages: Stages, trouble: Callable[[], str]) -> None:
        """Listen.

        Raises:
            SettingsError: the port cannot be used.
        """
        self._server: WSGIServer | None = None
        if not port:
            return
        metrics = make_wsgi_app(registry(stages))

        def answer(environ: dict[str, Any], respond: Any) -> Any:
            if environ["PATH_INFO"] != "/healthz":
                return metrics(environ, respond)
            said = trouble()
            respond("503 Service Unavailable" if said else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
            return [(said or "ok").encode() + b"\n"]

        try:
            self._server = make_server(host, port, answer, handler_class=_Quiet)
        except OSError as error:
            raise SettingsError(
                f"metrics.host, metrics.port: {host}:{port} cannot be used: {error.strerror}"
            ) from error
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it answers."""
        return self._server.server_port if self._server else 0

    def close(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
