"""The command lines of the processes, as arguments of `python -m`."""

from collections.abc import Sequence
from typing import Final

WORKER_THREADS: Final = 4  # they only hear bells: the work is done on one event loop


def worker_arguments(threads: int = WORKER_THREADS) -> Sequence[str]:
    """Return the arguments that run a worker, which hears bells with so many threads."""
    return (
        *("celery", "--app", "workers.app", "worker", "--pool", "threads", "--concurrency", str(threads)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("-Q", "route,drain", "--loglevel", "INFO"),
    )


def standby_web_arguments(listening: int, standby: int) -> Sequence[str]:
    """Return the arguments that run a web process on an open socket, once something is written to a pipe."""
    return ("relay.web.server", "--fd", str(listening), "--standby", str(standby))
