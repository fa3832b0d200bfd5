"""A progress bar on terminals, and nothing elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress


class ProgressBar:
    """Counts up to a total, on stderr."""

    def __init__(self, title: str, total: int) -> None:
        self._progress = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Remove the bar."""
        self._progress.stop()

    def advance(self) -> None:
        """Count one more."""
        self._progress.advance(self._task)
