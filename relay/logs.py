"""Log one wide event per unit of work. What writes the lines is imported with the first of them.

structlog takes as long to import as the rest of a command, and few commands log anything.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


@cache
def _logger() -> "FilteringBoundLogger":
    from relay.log_format import log

    return log


class Log:
    """The relay's own log lines: an event, in the past tense, and what is known of it."""

    def info(self, event: str, **fields: object) -> None:
        """Log what happened."""
        _logger().info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody should know."""
        _logger().warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what somebody must mend."""
        _logger().error(event, **fields)

    def critical(self, event: str, **fields: object) -> None:
        """Log why the process ends."""
        _logger().critical(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        _logger().exception(event, **fields)


log: Final = Log()


def log_each(event: str, items: Sequence[Mapping[str, object]], **shared: object) -> None:
    """Log a line for every item. Time, level and what they share are computed once for all of them."""
    if items:
        from relay.log_format import items_log

        items_log.write(event, items, shared)
