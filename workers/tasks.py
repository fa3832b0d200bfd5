"""What Celery calls: shells. A task's arguments are names, never content; its name never changes."""

from relay.bells import DRAIN, ROUTE, RUN_JOBS
from workers.app import app, process


@app.task(name=ROUTE)
def route() -> None:
    """Have what is in the inbox routed. Returns at once."""
    process.route()


@app.task(name=DRAIN)
def drain(queue: str) -> None:
    """Have a sink's queue drained. Returns at once: a hanging sink must not take a thread from the others."""
    process.drain(queue)


@app.task(name=RUN_JOBS)
def jobs() -> None:
    """Have background work done. Returns at once."""
    process.run_jobs()
