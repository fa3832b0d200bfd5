"""Libraries that others of ours import only because they are installed, and of which nothing is used."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

OF_REDIS: Final = "opentelemetry"  # for metrics of its own: a tenth of a second, where the extra otel is installed
OF_STRUCTLOG: Final = "rich"  # for tracebacks in color, which show local variables: rich brings pygments and attrs


@contextmanager
def hidden(library: str) -> Iterator[None]:
    """Let what is imported within do without a library, unless that is imported already."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]  # as Python documents: it is not found
    try:
        yield
    finally:
        del sys.modules[library]
