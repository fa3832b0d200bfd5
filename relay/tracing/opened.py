"""Open the tracer that the variables of OpenTelemetry ask for. Its packages are imported for that alone."""

from collections.abc import Mapping

from relay.logs import log
from relay.tracing.tracer import Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def open_tracer(variables: Mapping[str, str]) -> Tracer:
    """Return the tracer that OTEL_* variables ask for; one that records nothing where they do not, or it cannot be.

    Why it cannot be is logged.
    """
    if not _is_wanted(variables):
        return Tracer()
    protocol = _first(variables, _PROTOCOLS) or _PROTOCOL
    if protocol != _PROTOCOL:
        log.warning("traces.unavailable", reason=f"{protocol} is not spoken: set {_PROTOCOLS[1]}={_PROTOCOL}")
        return Tracer()
    try:
        from relay.tracing.recording import RecordingTracer

        return RecordingTracer(variables)
    except ImportError as error:
        log.warning("traces.unavailable", reason=f"{error}: pip install 'amo-relay[otel]'")
    except Exception as error:  # noqa: BLE001  a variable that the SDK does not understand must not keep hooks out
        log.warning("traces.unavailable", reason=f"{type(error).__name__}: {error}")
    return Tracer()


def _is_wanted(variables: Mapping[str, str]) -> bool:
    disabled = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    return not disabled and exporter == "otlp" and bool(_first(variables, _ENDPOINTS))


def _first(variables: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := variables.get(name, "").strip())), "")
