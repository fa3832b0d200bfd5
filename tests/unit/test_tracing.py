"""Traces are recorded where the variables of OpenTelemetry ask for it, and whatever becomes of them harms nothing."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from relay.tracing import recording
from relay.tracing.opened import open_tracer
from relay.tracing.recording import RecordingTracer, ToldExporter
from relay.tracing.tracer import Tracer

ROOT = Path(__file__).parents[2]
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(sent: InMemorySpanExporter) -> Tracer:
    return RecordingTracer({}, sent)


def test_nothing_but_the_recording_tracer_imports_opentelemetry() -> None:
    files = [path for folder in ("relay", "workers") for path in (ROOT / folder).rglob("*.py")]
    assert [
        path.name
        for path in files
        if "import opentelemetry" in (text := path.read_text()) or "from opentelemetry" in text
    ] == ["recording.py"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_SERVICE_NAME": "relay"},
    ],
)
def test_without_a_collector_nothing_is_recorded_and_nothing_said(variables: dict[str, str]) -> None:
    with capture_logs() as lines:
        assert not open_tracer(variables).records
    assert lines == []


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc is not spoken: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "-1"}, "ValueError: "),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_the_process_goes_on(
    variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**ENDPOINT, **variables}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with capture_logs() as lines:
        assert not open_tracer(given).records
    assert [(line["event"], line["reason"].startswith(reason)) for line in lines] == [("traces.unavailable", True)]


def test_spans_go_on_from_each_other_also_where_only_the_text_was_kept(
    tracer: Tracer, sent: InMemorySpanExporter
) -> None:
    hook = tracer.start_trace("hook", "", 0)
    route = tracer.start("route", hook.trace, "internal")
    attempt = tracer.start("attempt", route.trace, "client")
    for span in (hook, route, attempt):
        span.end({"relay.source": "acme"})
    tracer.close()
    first, second, third = sent.get_finished_spans()
    assert len({span.context.trace_id for span in (first, second, third)}) == 1
    assert (first.parent, second.parent.span_id, third.parent.span_id) == (
        None,
        first.context.span_id,
        second.context.span_id,
    )
    assert attempt.trace.startswith(f"00-{third.context.trace_id:032x}-{third.context.span_id:016x}-")


@pytest.mark.parametrize("parent", ["", "nonsense", PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32)])
def test_a_traceparent_that_is_none_begins_a_trace_at_a_hook_and_nothing_later(tracer: Tracer, parent: str) -> None:
    assert tracer.start_trace("hook", parent, 0).trace
    assert tracer.start("route", parent, "internal").trace == ""


def test_the_trace_of_a_proxy_in_front_goes_on(tracer: Tracer) -> None:
    assert tracer.start_trace("hook", PARENT, 0).trace.startswith(PARENT[:36])
    not_sampled = PARENT[:-1] + "0"
    assert tracer.start_trace("hook", not_sampled, 0).trace == ""


def test_a_tracer_that_records_nothing_hands_on_what_another_process_began() -> None:
    assert Tracer().start("route", PARENT, "internal").trace == PARENT
    assert Tracer().start_trace("hook", PARENT, 0).trace == ""


class Failing(SpanExporter):
    """Takes no spans while it is down."""

    down = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.down:
            raise ConnectionError("refused")
        return SpanExportResult.SUCCESS


def test_a_collector_that_is_down_is_told_once_and_when_it_is_back() -> None:
    theirs = Failing()
    exporter = ToldExporter(theirs)
    with capture_logs() as lines:
        assert [exporter.export([]) for _ in range(3)] == [SpanExportResult.FAILURE] * 3
        theirs.down = False
        assert [exporter.export([]) for _ in range(3)] == [SpanExportResult.SUCCESS] * 3
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("traces.unsent", "ConnectionError: refused"),
        ("traces.sent", None),
    ]


class Hanging(SpanExporter):
    """Never comes back until it may."""

    def __init__(self) -> None:
        self.began, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        self.may_end.wait()
        self.ended.set()
        return SpanExportResult.SUCCESS


def test_a_process_does_not_wait_for_a_collector_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "CLOSE_SECONDS", 0.05)
    theirs = Hanging()
    tracer = RecordingTracer({}, theirs)
    tracer.start_trace("hook", "", 0).end({})
    tracer.close()
    assert theirs.began.wait(30)
    assert not theirs.ended.is_set()
    theirs.may_end.set()
    assert theirs.ended.wait(30)
