"""Write log lines in one format for us, uvicorn and Celery: JSON, or readable on a console."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from textwrap import indent
from typing import Any, Final, TextIO

import msgspec

from relay.log_writer import LineHandler, LineWriter
from relay.masking import mask_people, mask_secrets
from relay.printable import escape_json, escape_line, escape_lines
from relay.spare_libraries import OF_STRUCTLOG, hidden

with hidden(OF_STRUCTLOG):
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)
_SHARED_PROCESSORS: Sequence[Processor] = (structlog.processors.add_log_level, _stamp)
_QUOTING = ("reason", "error")  # keys whose texts may hold an address, or an answer
_ITEMS = "_items"  # the key under which the renderer for eyes gets the items of `relay.logs.log_each`


def _configure_command() -> None:
    """Set up logging for a command: readable, on stderr, because a program may read what it prints on stdout."""
    structlog.configure(
        processors=[
            *_SHARED_PROCESSORS,
            *_TRACEBACK_PROCESSORS,
            _render_each(_console_renderer(sys.stderr)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def configure(style: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process. `style` is "json" or "console", `stream` by default stdout."""
    stream = stream or sys.stdout
    writer = LineWriter(stream, lambda dropped: log.warning("log.dropped", lines=dropped))
    json = style == "json"
    render = structlog.processors.JSONRenderer(_encode_json) if json else _console_renderer(stream)
    _configure_own(render if json else _render_each(render), writer)
    _configure_standard_library(render, writer)
    items_log.json_writer = writer if json else None


def _configure_own(render: Processor, writer: LineWriter) -> None:
    """Write our own lines straight to the stream: the standard library's way takes three times as long."""
    structlog.configure(
        processors=[*_SHARED_PROCESSORS, *_TRACEBACK_PROCESSORS, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )


def _configure_standard_library(render: Processor, writer: LineWriter) -> None:
    """Write the lines of other people's loggers in the same format."""
    handler = LineHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED_PROCESSORS, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _mask_message,
                *_TRACEBACK_PROCESSORS,
                render,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error"):
        server = logging.getLogger(name)  # it came with handlers of its own
        server.handlers.clear()
        server.propagate = True
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)  # else two lines for every bell
    # Else a line for every attempt to reach the broker: `broker.away` and `broker.back` say it once.
    logging.getLogger("celery.worker.consumer.consumer").setLevel(logging.CRITICAL)
    logging.getLogger("celery.worker.consumer.connection").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _console_renderer(stream: TextIO) -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )  # fmt: skip
    return lambda logger, method, event: render(logger, method, _escape_values(event))


def _escape_values(event: EventDict) -> EventDict:
    """Escape the texts of an event. The renderer writes what is no text as Python does, and so escapes it itself.

    A traceback is indented: what an error says may have lines that look like ours.
    """
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = indent(escape_lines(value), "  ") if key == "exception" else escape_line(value)
    return event


def _encode_json(event: Any, default: Callable[[Any], Any] = repr, **_: object) -> str:
    return escape_json(msgspec.json.encode(event, enc_hook=default).decode())


class ItemsLog:
    """Writes a line for every item, in the format of the process."""

    def __init__(self) -> None:
        self.json_writer: LineWriter | None = None  # where lines go in JSON

    def write(self, event: str, items: Sequence[Mapping[str, object]], shared: EventDict) -> None:
        """Write them. In JSON past structlog, which takes several times as long as all that is done here."""
        if self.json_writer is None:
            log.info(event, **{_ITEMS: items}, **shared)
            return
        line = _encode_json(_mask_traceback(None, "", _stamp(None, "", {**shared, "event": event, "level": "info"})))
        beginning = line.removesuffix("}")
        lines = [f"{beginning},{_encode_json(item)[1:]}" if item else line for item in items]
        self.json_writer.msg("\n".join(lines))


items_log: Final = ItemsLog()


def _mask_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask what other people's loggers write."""
    event["event"] = mask_people(mask_secrets(str(event["event"])))
    return event


def _mask_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask tracebacks and what others say. The rest of our own lines is names and ids."""
    if "exception" in event:
        event["exception"] = mask_people(mask_secrets(event["exception"]))
    for name in _QUOTING:
        if isinstance(event.get(name), str):
            event[name] = mask_people(mask_secrets(event[name]))
    return event


# As a text, so that it can be masked: what an error says may hold anything.
_TRACEBACK_PROCESSORS: Sequence[Processor] = (structlog.processors.format_exc_info, _mask_traceback)


def _render_each(render: Processor) -> Processor:
    """Render an event as a line; one of `log_each` as a line for every item."""

    def render_each(logger: WrappedLogger, method: str, event: EventDict) -> str:
        items: Sequence[Mapping[str, object]] = event.pop(_ITEMS, ({},))
        return "\n".join([str(render(logger, method, {**event, **item})) for item in items])

    return render_each


_configure_command()  # a command logs so; a process calls `configure`
