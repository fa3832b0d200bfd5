"""`relay worker`: a process that routes events and sends deliveries."""

from typing import Annotated

import typer

from relay.cli import options
from relay.cli.context.process import check_environment
from relay.processes.commands import WORKER_THREADS, worker_arguments
from relay.processes.exec import run_module


def worker(
    concurrency: Annotated[
        int, typer.Option(min=1, help="Celery threads. They only start work, which runs on one event loop.")
    ] = WORKER_THREADS,
    take_over: options.TakeOverOption = False,
) -> None:
    """Run a worker, which routes events and sends deliveries. Any number of them may run."""
    check_environment(take_over=take_over)
    run_module(*worker_arguments(concurrency))
