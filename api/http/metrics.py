"""What the stages of this process say of themselves: `/metrics` for Prometheus, `/healthz` for probes."""

import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schemas.settings import Settings, SettingsError
from streams.io.health import PARTS, HealthVerdict, PartFault
from streams.io.instrument import readings

#: A stage's metrics by the stage's name; a function, since a stage may be made again.
Stages = Callable[[], Mapping[str, Any]]
#: What is wrong now.
Judged = Callable[[], HealthVerdict]
#: How long a client may take over its request, in s: one that says nothing would be waited for, for ever.
REQUEST_S = 10.0


class PartBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part that fails; `said` is an error's own words, which name addresses, and not for everybody."""

    part: str
    what: str
    mend: str
    said: str = ""


class HealthBody(msgspec.Struct, frozen=True):
    """What `/healthz` answers."""

    status: str
    stage: str
    failing: list[PartBody]


def health_body(found: HealthVerdict, *, for_operators: bool) -> HealthBody:
    """The answer for operators, or for anybody."""

    def part(fault: PartFault) -> PartBody:
        return PartBody(fault.part, fault.what, fault.mend, fault.said if for_operators else "")

    return HealthBody("ok" if found.well else "unwell", found.stage, [part(fault) for fault in found.faults])


def health_status(found: HealthVerdict) -> HTTPStatus:
    """200, or 503 for one that is not well."""
    return HTTPStatus.OK if found.well else HTTPStatus.SERVICE_UNAVAILABLE


class StageCollector(Collector):
    """Reads the numbers when they are asked for, so counting costs the stages nothing."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def collect(self) -> Iterator[Metric]:
        """Every metric of every stage, as `repmon_STAGE_NAME`, with the labels that its numbers have."""
        for stage, numbers in self._stages().items():
            labels: Mapping[str, str] = getattr(numbers, "labels", {})
            for each in readings(numbers):
                family = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
                made = family(f"repmon_{stage}_{each.name}", each.help, labels=list(labels))
                made.add_metric(list(labels.values()), each.value)
                yield made


class PartsCollector(Collector):
    """For each part whether it fails, by the same judgement that `/healthz` answers with."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged

    def collect(self) -> Iterator[Metric]:
        """`repmon_health_failing`, by stage and part."""
        found = self._judged()
        family = GaugeMetricFamily(
            "repmon_health_failing", "1 for each part that fails, as `/healthz` says it.", labels=("stage", "part")
        )
        for part in PARTS:
            family.add_metric([found.stage, part], float(part in found.failing))
        yield family


def registry(stages: Stages, judged: Judged | None = None) -> CollectorRegistry:
    """A registry of these stages alone."""
    made = CollectorRegistry()
    made.register(StageCollector(stages))
    if judged is not None:
        made.register(PartsCollector(judged))
    return made


class _Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = REQUEST_S

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


class StageServer:
    """Serves the metrics and the health of a stage that runs by itself. A port of 0 serves nothing.

    It has threads of its own, so it answers also while the stage waits for its broker or its store: `/healthz` whether
    the stage can do its work (readiness), `/livez` that its process runs.
    """

    def __init__(self, host: str, port: int, stages: Stages, judged: Judged, setting: str = "metrics.port") -> None:
        """Listen. `setting` is where the port was read.

        Raises:
            SettingsError: the port cannot be used.
        """
        self._server: WSGIServer | None = None
        if not port:
            return
        metrics = make_wsgi_app(registry(stages, judged))

        def answer(environ: dict[str, Any], respond: Any) -> Any:
            if environ["PATH_INFO"] == "/livez":
                respond("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
                return [b"ok\n"]
            if environ["PATH_INFO"] != "/healthz":
                return metrics(environ, respond)
            found = judged()
            status = health_status(found)
            respond(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
            return [msgspec.json.encode(health_body(found, for_operators=True)) + b"\n"]

        try:
            self._server = make_server(host, port, answer, server_class=_Threads, handler_class=_Quiet)
        except OSError as error:
            raise SettingsError(f"metrics.host, {setting}: {host}:{port} cannot be used: {error.strerror}") from error
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


def metrics_apart(settings: Settings, stages: Stages, judged: Judged) -> StageServer:
    """The metrics of the HTTP interface on the port of their own, where there is one.

    Raises:
        SettingsError: the port cannot be used.
    """
    port = settings.api.metrics_port
    return StageServer(settings.metrics.host, port, stages, judged, "api.metrics_port")
