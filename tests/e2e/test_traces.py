"""A hook, its routing and its attempts are one trace, over processes; a collector that is down harms nothing."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, inject_fault, lead_hook, run_relay, sandbox_requests, stored_leads, until

CONFIG = """
sources:
  acme: {type: amocrm, token: test-token}
sinks:
  told: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/books", traceparent: true, retry: [1s],
    headers: {X-Api-Key: a-secret-of-the-sink}}
  untold: {type: http, idempotency: honoured, url: "${RELAY_SANDBOX_URL}/list"}
routes:
  - {name: invoices, on: add_lead, to: told, path: /invoices, body: {lead: "{{ lead.id }}", name: "{{ lead.name }}"}}
  - {name: addresses, on: add_lead, to: untold, body: {lead: "{{ lead.id }}"}}
"""
PERSON, SECRETS = "Вера Маркерова", ("test-token", "a-secret-of-the-sink")


class Collector:
    """Takes spans as OpenTelemetry's collector does."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self.path, self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    collector = Collector(port)
    try:
        yield collector
    finally:
        collector.close()


def attributes(span: Span) -> dict[str, object]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[tuple[Processes, Collector]]:
    with collecting() as collector:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        with run_relay(tmp_path, CONFIG, **variables) as processes:
            yield processes, collector


def test_a_hook_is_one_trace_and_none_of_its_parts_needs_the_collector(traced: tuple[Processes, Collector]) -> None:
    processes, collector = traced
    inject_fault(processes, fault="status", status=503, vendor="books", times=1)
    sender = HookSender(processes)
    receipt = sender.post_until_taken(lead_hook(1, name=PERSON))["receipt"]
    until(lambda: len(collector.named("attempt")) == 3 and collector.named("hook"), what="all spans to be collected")

    (hook,), (route,), attempts = collector.named("hook"), collector.named("route"), collector.named("attempt")
    assert {span.trace_id for span in collector.spans} == {hook.trace_id}
    assert (hook.parent_span_id, route.parent_span_id) == (b"", hook.span_id)
    assert {span.parent_span_id for span in attempts} == {route.span_id}
    assert attributes(hook)["relay.receipt"] == attributes(route)["relay.receipt"] == receipt
    outcomes = sorted(
        (attributes(one)["relay.sink"], attributes(one)["relay.outcome"], one.status.code) for one in attempts
    )
    assert outcomes == [
        ("told", "delivered", Status.STATUS_CODE_UNSET),
        ("told", "retry", Status.STATUS_CODE_ERROR),
        ("untold", "delivered", Status.STATUS_CODE_UNSET),
    ]
    assert collector.services == {"amo-relay"}

    told = [one["headers"]["traceparent"] for one in sandbox_requests(processes, "books")]
    ids = {span.span_id.hex() for span in attempts if attributes(span)["relay.sink"] == "told"}
    assert {one.split("-")[1] for one in told} == {hook.trace_id.hex()}
    assert {one.split("-")[2] for one in told} == ids
    assert not [one for one in sandbox_requests(processes, "list") if "traceparent" in one["headers"]]

    sent = b"".join(span.SerializeToString() for span in collector.spans).decode("utf-8", "replace")
    assert not [text for text in (PERSON, *SECRETS) if text in sent]

    collector.close()
    for lead in (2, 3):
        sender.post_until_taken(lead_hook(lead))
        until(lambda lead=lead: stored_leads(processes)[lead] == 2, what="deliveries without a collector")
        for name in ("web", "worker"):
            until(lambda name=name: "traces.unsent" in processes.log(name), what=f"{name} to say so")
    sender.close()
    with collecting(collector.port) as again:
        sender.post_until_taken(lead_hook(4))
        sender.close()
        until(lambda: again.named("hook") and again.named("attempt"), what="spans to arrive again")
        for name in ("web", "worker"):
            until(lambda name=name: "traces.sent" in processes.log(name), what=f"{name} to say so")
            assert processes.log(name).count("traces.unsent") == 1
