"""Record spans by OpenTelemetry's SDK and send them by OTLP over HTTP, from a thread of their own.

What cannot be sent is dropped: neither a hook nor a delivery ever waits for it.
"""

import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace import Span as RecordedSpan
from opentelemetry.trace import SpanKind as Kind
from opentelemetry.trace.status import Status, StatusCode

from relay import __version__
from relay.logs import log
from relay.tracing.tracer import UNTRACED, Attributes, Span, SpanKind, Tracer

CLOSE_SECONDS = 2.0  # in which what is left is sent when a process ends
SERVICE = "amo-relay"
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_KINDS: Mapping[SpanKind, Kind] = {"server": Kind.SERVER, "internal": Kind.INTERNAL, "client": Kind.CLIENT}


class RecordingTracer(Tracer):
    """Records spans, and sends them as the OTEL_* variables say: the SDK reads those itself."""

    records = True

    def __init__(self, variables: Mapping[str, str], exporter: SpanExporter | None = None) -> None:
        self._provider = TracerProvider(resource=_resource(variables), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(ToldExporter(exporter or OTLPSpanExporter())))
        self._tracer = self._provider.get_tracer(SERVICE, __version__)

    def start_trace(self, name: str, parent: str, since: float) -> Span:
        """Begin the first span of the relay's own; whether it is recorded is for OTEL_TRACES_SAMPLER to say."""
        began = time.time_ns() - round((time.monotonic() - since) * 1e9)
        return _begun(self._tracer.start_span(name, _context(parent), Kind.SERVER, start_time=began))

    def start(self, name: str, parent: str, kind: SpanKind) -> Span:
        """Begin a span that goes on from another one; where that was not recorded, neither is this."""
        if not _TRACEPARENT.fullmatch(parent):
            return UNTRACED
        return _begun(self._tracer.start_span(name, _context(parent), _KINDS[kind]))

    def close(self) -> None:
        """Send what is left, as far as that is possible within two seconds."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class _Recorded(Span):
    def __init__(self, span: RecordedSpan) -> None:
        context = span.get_span_context()
        super().__init__(f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}")
        self._span = span

    def end(self, attributes: Attributes, *, failed: bool = False) -> None:
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))  # why stands in the story: it may quote people
        self._span.end()


def _begun(span: RecordedSpan) -> Span:
    return _Recorded(span) if span.is_recording() else UNTRACED


def _context(parent: str) -> Context:
    """Return the context that a `traceparent` names; an empty one, of a trace that begins, where it names none."""
    found = _TRACEPARENT.fullmatch(parent)
    if found is None:
        return Context()
    trace, span, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(context), Context())


def _resource(variables: Mapping[str, str]) -> Resource:
    named = variables.get("OTEL_SERVICE_NAME") or "service.name=" in variables.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({"service.version": __version__, **({} if named else {"service.name": SERVICE})})


class ToldExporter(SpanExporter):
    """Sends spans by another exporter, and says in one line each when it cannot any more, and when it can again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._message = _LastMessage()
        self._works = True
        # The SDK would say it with every batch, with a traceback.
        theirs = logging.getLogger("opentelemetry")
        theirs.handlers, theirs.propagate = [self._message], False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans. What cannot be sent is lost."""
        self._message.text = ""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001  whatever it is, it must end neither the thread nor the work
            result, self._message.text = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        self._note(works=result is SpanExportResult.SUCCESS)
        return result

    def _note(self, *, works: bool) -> None:
        if self._works and not works:
            log.warning("traces.unsent", reason=self._message.text or "the collector did not take them")
        elif works and not self._works:
            log.info("traces.sent")
        self._works = works

    def shutdown(self) -> None:
        """Send nothing any more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait until what it has is sent."""
        return self._exporter.force_flush(timeout_millis)


class _LastMessage(logging.Handler):
    """Keeps the last that the SDK said."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
