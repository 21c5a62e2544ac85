"""A trace begins with the offsets that were stored and ends with the alert, though two processes make the two."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from schemas.settings import SettingsError
from schemas.watch_settings import TraceSettings
from streams.io import tracing
from streams.io.changes import customers_in, messages
from streams.io.tracing import Tracing


class Collector:
    """Takes spans as an OpenTelemetry collector does, and keeps them by name."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for resource in sent.resource_spans:
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            collector.spans.setdefault(span.name, []).append(span)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def settings(self) -> TraceSettings:
        return TraceSettings(endpoint=f"http://127.0.0.1:{self.server.server_port}/v1/traces")


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def attributes(span: Span) -> dict[str, object]:
    def plain(value: object) -> object:
        kind = value.WhichOneof("value")  # type: ignore[attr-defined]
        found = getattr(value, kind)
        return [each.string_value for each in found.values] if kind == "array_value" else found

    return {each.key: plain(each.value) for each in span.attributes}


def test_trace_leads_from_the_offsets_of_a_source_to_the_alert(collector: Collector) -> None:
    ingest, monitor = Tracing(collector.settings, "ingest"), Tracing(collector.settings, "monitor")
    (message,) = messages(["acme", "zenith"], 1_795_000_000_000, 1)
    ingest.note_flush(0.5, [("mail.events:x:0", 100, 250)])
    ingest.note_announced([message.value])
    monitor.note_received(message.value, customers_in(message.value))
    monitor.note_alert("acme", "0f3c", "complaints", "opened")
    monitor.note_alert("somebody else", "0f3d", "complaints", "opened")
    ingest.stop()
    monitor.stop()
    (stored,), (alerted,) = collector.spans["store counts"], collector.spans["judge and alert"]
    assert attributes(stored)["repmon.sources"] == ["mail.events:x:0 100-250"]
    assert stored.end_time_unix_nano - stored.start_time_unix_nano >= 400_000_000
    assert (alerted.trace_id, alerted.parent_span_id) == (stored.trace_id, stored.span_id)
    assert attributes(alerted) == {
        "repmon.customer": "acme", "repmon.alert": "0f3c", "repmon.rule": "complaints", "repmon.kind": "opened",
    }  # fmt: skip


def test_share_of_nothing_sends_nothing(collector: Collector) -> None:
    settings = TraceSettings(endpoint=collector.settings.endpoint, share=0.0)
    ingest = Tracing(settings, "ingest")
    ingest.note_announced([b"one", b"two"])
    ingest.stop()
    assert collector.spans == {}


def test_without_an_endpoint_nothing_is_traced_and_nothing_is_imported() -> None:
    tracing.start(TraceSettings(), "ingest")
    assert tracing.ACTIVE is None
    tracing.stop()


def test_packages_that_are_not_installed_are_named_with_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"trace\.endpoint: .*reputation-monitor\[trace\]"):
        tracing.start(TraceSettings(endpoint="http://127.0.0.1:4318/v1/traces"), "ingest")
