"""Keep what is known of problems: since when each is open. One that ends and comes back is new."""

from typing import Final

from relay.live_config import LiveConfig
from relay.logs import log
from relay.operations.examination import examine_broker, save_broker
from relay.operations.problem_facts import problem_facts
from relay.operations.problems import read_problems
from relay.store.problems import ProblemNotes
from relay.store.reader import Reader
from relay.store.records import Job
from relay.store.shared_state import SharedState
from relay.store.store import Store

KEEP_PROBLEMS: Final = "problems"  # kind of the job, as it is stored
EVERY_MS: Final = 60_000


class ProblemKeeper:
    """The function of a job. `reader`: of all shards; `broker_url`: Celery's, for which workers alone can speak."""

    def __init__(self, live: LiveConfig, store: Store, broker_url: str, reader: Reader | None = None) -> None:
        self._live = live
        self._reader = reader or Reader(store.client, store.namespace)
        self._shared = SharedState(store.client, store.namespace)
        self._notes = ProblemNotes(store.client, store.namespace)
        self._broker_url = broker_url

    async def keep(self, _: Job) -> int:
        """Look for problems, log those that are new, and note which there are."""
        await save_broker(self._shared, await examine_broker(self._broker_url, self._reader.namespace))
        problems = await read_problems(self._reader, self._live.config, self._live.error)
        known = await self._notes.read()
        for problem in problems:
            if problem.id not in known:
                log.warning("problem.found", problem=problem.id, about=problem.about, found=problem.found)
        await self._notes.keep((problem.id for problem in problems), problem_facts(problems))
        return EVERY_MS
