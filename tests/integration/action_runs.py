"""Work actions off as a worker does, in the process of a test."""

from relay.config.config import Config
from relay.store.store import Store
from workers.actions import ActionRunner


def work_off(run, store: Store, config: Config) -> None:
    """Do all that may be done of actions now."""
    runner = ActionRunner(lambda: config, store, lambda: False)
    while jobs := run(store.claim_jobs("w:j", 1, 60_000)).items:
        for job in jobs:
            run(store.finish_job(job, run(runner.run(job))))
