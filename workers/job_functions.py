"""Which function runs which kind of job."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from relay.accounts.client import AccountClient
from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.store.actions import ACTION_JOB
from relay.store.reader import Reader
from relay.store.store import Store
from workers.actions import ActionRunner
from workers.adoption import ADOPT, Adopter
from workers.drift_watch import COMPARE_DRIFT, WATCH_DRIFT, DriftWatch
from workers.fact_groups import END_FACT_GROUPS, FactGroups
from workers.field_counter import COUNT_FIELDS, FieldCounter
from workers.jobs import JobFunction
from workers.memory_sampler import SAMPLE_MEMORY, MemorySampler
from workers.minute_sampler import SAMPLE_MINUTE, MinuteSampler
from workers.newest_indexer import INDEX_NEWEST, NewestIndexer
from workers.packer import PACK, Packer
from workers.people_indexer import INDEX_PEOPLE, PeopleIndexer
from workers.problem_keeper import KEEP_PROBLEMS, ProblemKeeper
from workers.put_off import PUT_OFF, PutOffMaker
from workers.source_monitor import CATCH_UP, CHECK_SOURCE, SourceMonitor


def make_job_functions(
    live: LiveConfig,
    store: Store,
    settings: ProcessSettings,
    *,
    broker_url: str,
    account: Callable[[str], AccountClient],
    publish_bells: Callable[[Sequence[str]], object],
    start_queues: Callable[[Sequence[str]], None],
    stopping: Callable[[], bool],
    reader: Reader,
    owned: Callable[[Iterable[str]], Sequence[str]],
    others: Callable[[], Mapping[str, Store]],
) -> Mapping[str, JobFunction]:
    """Return the functions by kind, but for those that the runner of jobs has itself.

    `reader`: of all shards; `owned`: which of some sources are this one's. `others`: the other shards, for the first.
    """
    monitor = SourceMonitor(lambda: live.config, store, account, publish_bells, owned=owned, reader=reader)
    drift = DriftWatch(live, store, settings.config_path, account, owned)
    actions = ActionRunner(
        lambda: live.config, store, account, stopping, settings.secret_key, reader,
        lambda: {name: other.actions for name, other in others().items()},
    )  # fmt: skip
    return {
        CHECK_SOURCE: monitor.check_source,
        CATCH_UP: monitor.catch_up,
        WATCH_DRIFT: drift.ask,
        COMPARE_DRIFT: drift.compare,
        COUNT_FIELDS: FieldCounter(live, store).count,
        KEEP_PROBLEMS: ProblemKeeper(live, store, broker_url, reader).keep,
        ACTION_JOB: actions.run,
        PUT_OFF: PutOffMaker(live, store, start_queues).run,
        ADOPT: Adopter(store).adopt,
        INDEX_NEWEST: NewestIndexer(store).index,
        INDEX_PEOPLE: PeopleIndexer(store, settings.secret_key).index,
        SAMPLE_MEMORY: MemorySampler(store).sample,
        PACK: Packer(store).pack,
        END_FACT_GROUPS: FactGroups(live, store).end,
        SAMPLE_MINUTE: MinuteSampler(live, store).sample,
    }
