"""Log one wide event per unit of work, in one format for us, uvicorn and Celery: JSON, or for eyes on a console."""

import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_SECRETS = (
    (re.compile(r"(/hooks/[^/\s]+/)[^\s\"?]+"), r"\1***"),
    (re.compile(r"(\w+://[^:/@\s]*:)[^@/\s]+@"), r"\1***@"),
    (re.compile(r"(?i)((?:user_hash|api_key|apikey|token|psw|password)=)[^&\s\"]+"), r"\1***"),
)


def mask(text: str) -> str:
    """Hide what must not be read in a log: hook tokens in paths, passwords in addresses, keys in queries."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def _mask_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask other people's messages and all tracebacks; our own lines carry names and ids only."""
    event["event"] = mask(str(event["event"]))
    if "exception" in event:
        event["exception"] = mask(event["exception"])
    return event


def _json(event: Any, default: Callable[[Any], Any], **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=default).decode()


def configure(style: str) -> None:
    """Set up logging for this process. `style` is "json" or "console"."""
    render: Processor = structlog.processors.JSONRenderer(_json) if style == "json" else structlog.dev.ConsoleRenderer(
        colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
    )  # fmt: skip
    exceptions: list[Processor] = [structlog.processors.format_exc_info] if style == "json" else []
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Straight to the stream: the standard library's path costs three times as much a line.
    structlog.configure(
        processors=[*shared, *exceptions, _mask_message, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    foreign: list[Processor] = [*shared, structlog.stdlib.add_logger_name]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *exceptions, _mask_message, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
