"""Log one wide event per unit of work, in one format for us, uvicorn and Celery: JSON, or for eyes on a console."""

import asyncio
import atexit
import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from relay.masking import mask_people, mask_secrets

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_SHARED: Sequence[Processor] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_EACH = "each"


def _mask_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask what other people's loggers say."""
    event["event"] = mask_people(mask_secrets(str(event["event"])))
    return event


def _mask_traceback(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask tracebacks; the rest of our own lines is names and ids."""
    if "exception" in event:
        event["exception"] = mask_people(mask_secrets(event["exception"]))
    return event


def log_each(event: str, items: Sequence[Mapping[str, object]], **shared: object) -> None:
    """Log a line for every item. Time, level and what they share are found once for all of them."""
    if items:
        log.info(event, **{_EACH: items}, **shared)


def _for_each(render: Processor) -> Processor:
    """Render a line for every item of an event that has some."""

    def rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
        items: Sequence[Mapping[str, object]] = event.pop(_EACH, ({},))
        return "\n".join([str(render(logger, method, {**event, **item})) for item in items])

    return rendered


def _json(event: Any, default: Callable[[Any], Any], **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=default).decode()


class _Lines:
    """Writes lines to a stream; those of one turn of an event loop together."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()  # safe to append to from any thread
        self._to_be_flushed = False
        atexit.register(self._flush)

    def msg(self, line: str) -> None:
        """Write a line: at once, or where a loop runs in this thread at the end of its turn."""
        self._lines.append(line)
        if not self._to_be_flushed:
            self._to_be_flushed = True
            try:
                asyncio.get_running_loop().call_soon(self._flush)
            except RuntimeError:
                self._flush()

    log = debug = info = warning = error = critical = exception = msg

    def _flush(self) -> None:
        self._to_be_flushed = False  # first: what comes from now on is flushed anew
        lines = []
        while self._lines:
            lines.append(self._lines.popleft() + "\n")
        self._stream.write("".join(lines))
        self._stream.flush()


def configure_command() -> None:
    """Set up logging for a command: for eyes, on stderr. What it prints on stdout may be read by a program."""
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        processors=[*_SHARED, structlog.processors.format_exc_info, _mask_traceback, _for_each(render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def configure(style: str) -> None:
    """Set up logging for this process. `style` is "json" or "console"."""
    render: Processor = structlog.processors.JSONRenderer(_json) if style == "json" else structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )  # fmt: skip
    exceptions: list[Processor] = [structlog.processors.format_exc_info] if style == "json" else []
    lines = _Lines(sys.stdout)
    # Straight to the stream: the standard library's path costs three times as much a line.
    structlog.configure(
        processors=[*_SHARED, *exceptions, _mask_traceback, _for_each(render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    foreign: list[Processor] = [*_SHARED, structlog.stdlib.add_logger_name]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *exceptions,
                _mask_message,
                _mask_traceback,
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
        logging.getLogger(name).setLevel(logging.WARNING)  # two lines a bell, about nothing but the bell
    logging.captureWarnings(True)
