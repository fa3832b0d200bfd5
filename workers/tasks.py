"""The Celery tasks. Their arguments are names, never content; the tasks' own names never change."""

from relay.bells import DRAIN, ROUTE, RUN_JOBS
from workers.app import app, process


@app.task(name=ROUTE)
def route() -> None:
    """Start routing the inbox. Returns at once."""
    process.route()


@app.task(name=DRAIN)
def drain(queue: str) -> None:
    """Start draining a queue. Returns at once: a hanging sink must not take a thread from the others."""
    process.drain(queue)


@app.task(name=RUN_JOBS)
def jobs() -> None:
    """Start the background jobs that are due. Returns at once."""
    process.run_jobs()
