"""Work actions off as a worker does, in the process of a test."""

from collections.abc import Callable
from typing import NoReturn

from relay.accounts.client import AccountClient
from relay.config.config import Config
from relay.errors import ConfigError
from relay.store.store import Store
from workers.actions import ActionRunner


def no_account(source: str) -> NoReturn:
    """Stand for accounts in tests that ask none."""
    raise ConfigError(f"{source}: this test has no account")


def work_off(run, store: Store, config: Config, account: Callable[[str], AccountClient] = no_account) -> None:
    """Do all that may be done of actions now."""
    runner = ActionRunner(lambda: config, store, account, lambda: False)
    while jobs := run(store.claim_jobs("w:j", 1, 60_000)).items:
        for job in jobs:
            run(store.finish_job(job, run(runner.run(job))))
