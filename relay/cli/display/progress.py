"""A progress bar on terminals, and nothing elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class ProgressBar:
    """Counts up to a total, on stderr; 0: it is not known."""

    def __init__(self, title: str, total: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(
            *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
        )
        self._title = title
        self._task = self._progress.add_task(title, total=total or None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Remove the bar."""
        self._progress.stop()

    def show(self, completed: int, what: str) -> None:
        """Show how far it is, and what is to be said about that."""
        self._progress.update(self._task, completed=completed, description=f"{self._title}: {what}")
