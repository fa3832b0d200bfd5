"""`relay worker`: a process that routes events and sends deliveries."""

from typing import Annotated

import typer

from relay.cli.context import check_environment
from relay.processes.exec import exec_module


def worker(
    concurrency: Annotated[
        int, typer.Option(min=1, help="Celery threads. They only start work, which runs on one event loop.")
    ] = 4,
) -> None:
    """Run a worker, which routes events and sends deliveries. Any number of them may run."""
    check_environment()
    exec_module(
        *("celery", "--app", "workers.app", "worker", "--pool", "threads", "--concurrency", str(concurrency)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("-Q", "route,drain", "--loglevel", "INFO"),
    )
