"""Traces from the offset of a source to the alert, by OpenTelemetry, where the settings name who takes them.

Nothing is added to any message: what ingest announces and what the monitor reads is the same message of
`reputation.changes`, and the ids of its trace are a hash of it. So both know them, whichever process they are in.
Off, this costs a look at `ACTIVE`; the packages are an extra (`trace`) and imported only where it is on.
"""

import time
from collections import OrderedDict
from collections.abc import Iterable
from importlib.util import find_spec
from threading import Lock, local
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest, xxh3_128_intdigest

from schemas.settings import SettingsError
from schemas.watch_settings import TraceSettings

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

#: How many customers' last changes are remembered, in one process.
MOST_CUSTOMERS = 100_000
#: How many sources a span names.
MOST_SOURCES = 100
#: How long spans may wait to be sent, in ms, and what is sent at the end may take.
SEND_EVERY_MS, LAST_MS = 1_000, 2_000
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Tracing:
    """The spans of one process. Times are by the clock, in ns."""

    def __init__(self, settings: TraceSettings, stage: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

        ids = self._ids = local()

        class Ids(RandomIdGenerator):
            """The ids that were asked for, else any."""

            def generate_trace_id(self) -> int:
                return ids.__dict__.pop("trace", None) or super().generate_trace_id()

            def generate_span_id(self) -> int:
                return ids.__dict__.pop("span", None) or super().generate_span_id()

        self._provider = TracerProvider(
            ParentBasedTraceIdRatio(settings.share),
            Resource.create({"service.namespace": "repmon", "service.name": f"repmon {stage}".strip()}),
            id_generator=Ids(),
        )
        exporter = OTLPSpanExporter(endpoint=settings.endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
        self._tracer = self._provider.get_tracer("repmon")
        self._lock = Lock()
        self._flushed: list[str] = []
        self._began_ns = 0
        self._received: OrderedDict[str, tuple[bytes, int]] = OrderedDict()

    def note_flush(self, began_s: float, stored: Iterable[tuple[str, int, int]]) -> None:
        """Counts were stored, in a flush that began so long ago (s): each source with its first and last offset."""
        with self._lock:
            self._began_ns = self._began_ns or time.time_ns() - int(began_s * 1e9)
            self._flushed += [f"{source} {first}-{last}" for source, first, last in stored]

    def note_announced(self, values: Iterable[bytes]) -> None:
        """Who changed was announced, by messages of these values: a span each, from the first flush that is in it."""
        from opentelemetry.context import Context

        now_ns = time.time_ns()
        with self._lock:
            sources, began_ns = self._flushed, self._began_ns or now_ns
            self._flushed, self._began_ns = [], 0
        named: dict[str, AttributeValue] = {"repmon.sources": sources[:MOST_SOURCES], "repmon.flushes": len(sources)}
        for value in values:
            self._ids.trace, self._ids.span = _trace_id(value), _span_id(value)
            span = self._tracer.start_span("store counts", Context(), start_time=began_ns, attributes=named)
            span.end(now_ns)

    def note_received(self, value: bytes, customers: Iterable[str]) -> None:
        """The monitor read a message."""
        now_ns = time.time_ns()
        for each in customers:
            self._received[each] = value, now_ns
            self._received.move_to_end(each)
        while len(self._received) > MOST_CUSTOMERS:
            self._received.popitem(last=False)

    def note_alert(self, customer: str, alert: str, rule: str, kind: str) -> None:
        """An alert was sent of a customer: a span from when their change was read, below that of the change."""
        from opentelemetry import trace

        if (received := self._received.get(customer)) is None:
            return
        value, read_ns = received
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        parent = trace.SpanContext(_trace_id(value), _span_id(value), is_remote=True, trace_flags=flags)
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        named = {"repmon.customer": customer, "repmon.alert": alert, "repmon.rule": rule, "repmon.kind": kind}
        span = self._tracer.start_span("judge and alert", context, start_time=read_ns, attributes=named)
        span.end()

    def stop(self) -> None:
        """Send what waits."""
        self._provider.force_flush(LAST_MS)


#: Where spans go; None: nowhere.
ACTIVE: Tracing | None = None


def start(settings: TraceSettings, stage: str) -> None:
    """Trace from now on, if the settings name who takes it.

    Raises:
        SettingsError: the packages are not installed.
    """
    global ACTIVE  # noqa: PLW0603 - one for the process, as what is logged
    if not settings.endpoint or ACTIVE is not None:
        return
    try:
        missing = [name for name in NEEDED if find_spec(name) is None]
    except ModuleNotFoundError:
        missing = list(NEEDED)
    if missing:
        raise SettingsError("trace.endpoint: OpenTelemetry is not installed: pip install 'reputation-monitor[trace]'")
    ACTIVE = Tracing(settings, stage)


def stop() -> None:
    """Send what waits, if anything is traced."""
    if ACTIVE is not None:
        ACTIVE.stop()


def _trace_id(value: bytes) -> int:
    return xxh3_128_intdigest(value) or 1


def _span_id(value: bytes) -> int:
    return xxh3_64_intdigest(value) or 1
