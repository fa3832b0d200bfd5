"""All of a worker process that works on one shard: it claims, works and looks by itself, and waits for no other."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from celery import Celery

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.background import BackgroundTasks
from relay.bells import Ringer
from relay.config.environment import ProcessSettings
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import Record, is_subscriber
from relay.operations.store_admission import StoreAdmission
from relay.sinks.tools import Tools
from relay.store.keys import ACCOUNT, INBOX, JOBS
from relay.store.reader import Reader
from relay.store.records import Handed
from relay.store.shard_list import FIRST
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.tracing.tracer import Tracer
from relay.transport import Session
from workers.admission import wait_until_admitted
from workers.drainer import Drainer
from workers.fetcher import Fetcher
from workers.hand import Hand
from workers.hearing import Hearing
from workers.homes import Homes
from workers.job_functions import make_job_functions
from workers.jobs import JobRunner
from workers.listening import Listening
from workers.router import PLANNER, Router
from workers.ticker import Ticker
from workers.watchdog import Watchdog
from workers.worker_lock import WorkerLock

ANSWER_SECONDS: Final = 10.0
CONNECTIONS: Final = 64


class Shared(Record):
    """What all shards of a process share: none of it waits for a store.

    `session` calls sinks of the file and accounts, `guarded` the addresses of subscribers. `end_failed` ends the
    process; `note_epoch` is called with the epoch of the list of shards that a look has found. `reader`: of all shards;
    `stores`: these, by name.
    """

    settings: ProcessSettings
    app: Celery
    session: Session
    guarded: Session
    tracer: Tracer
    hand: Hand
    watchdog: Watchdog
    stopping: Callable[[], bool]
    end_failed: Callable[[], None]
    restart_consumer: Callable[[], None]
    note_epoch: Callable[[int], None]
    reader: Reader
    stores: Callable[[], Mapping[str, Store]]


class ShardWork:
    """The agents of one shard. `owned`: which of these sources are the shard's. Nothing runs before `start`.

    `worker`: its name in this shard. The first one looks for the problems of all.
    """

    def __init__(
        self,
        shared: Shared,
        store: Store,
        live: LiveConfig,
        worker: str,
        shard: str,
        homes: Homes,
        owned: Callable[[Iterable[str]], Sequence[str]],
    ) -> None:
        settings = shared.settings
        assert settings.redis_url is not None
        self.store = store
        self.live = live
        self.worker = worker
        self._shard = shard
        self._homes = homes
        self._shared = shared
        self._lock = WorkerLock(worker)
        self._drainers: dict[str, Drainer] = {}
        self._fetchers: dict[str, Fetcher] = {}
        self._unknown: set[tuple[str, str]] = set()  # queues that were logged, and by which configuration
        self._tasks = BackgroundTasks(shared.stopping)
        self._watching = BackgroundTasks(shared.stopping)
        self._admission = StoreAdmission(store, settings.redis_url, lambda: live.config.sources.keys(), settings)
        notes = SharedState(store.client, store.namespace)
        self._tools = Tools(shared.session, notes, notes.clock.seconds, settings.secret_key)
        self._guarded_tools = Tools(shared.guarded, notes, notes.clock.seconds, settings.secret_key)
        self._ringer = Ringer(shared.app, store, shard=shard)
        self._router = Router(
            live, store, self.start_queues, worker, shared.stopping, shared.watchdog, shared.hand, self.drainer_of,
            shared.tracer, PLANNER if shard == FIRST else f"{PLANNER} of shard {shard}",
        )  # fmt: skip
        kinds = make_job_functions(
            live, store, settings, broker_url=settings.broker_url or settings.redis_url, account=self._account,
            publish_bells=self._publish_bells, start_queues=self.start_queues, stopping=shared.stopping,
            reader=shared.reader, owned=owned,
            others=lambda: {name: other for name, other in shared.stores().items() if name != shard},
        )  # fmt: skip
        self._jobs = JobRunner(live, store, worker, shared.stopping, kinds)
        self._hearing = Hearing(self._ringer.count_waiting, shared.restart_consumer, shared.end_failed)
        self._listening = Listening(lambda: store.open_wake_ups(worker), self.start_queue, self._take_handed)
        self._ticker = Ticker(
            worker, live, store, self.start_queue, self._listening, note_format=self._note_format,
            note_unanswered=self._hearing.note_rung, note_shards=shared.note_epoch, owned=owned,
            keeps_problems=shard == FIRST,
            note_registered=homes.note_registered if shard == FIRST else lambda _: None,
        )  # fmt: skip

    def lock(self) -> None:
        """Let others of this machine see that the worker lives."""
        self._lock.acquire()

    def start(self) -> None:
        """Start the ticker, and what takes wake-ups. Called on the loop."""
        self._watching.keep("hearing", self._hearing.run)
        self._watching.keep("listening", self._listening.run)
        self._tasks.keep("ticker", self._tick)

    async def _tick(self) -> None:
        """Find out that the store is this relay's, then look for work in it."""
        await wait_until_admitted(self._admission, self._shared.stopping)
        await self._ticker.run(self._shared.stopping)

    def _note_format(self, stored: int) -> None:
        """End where a newer release has begun to write to the store."""
        self._admission.note_format(stored)
        if self._admission.refusal:
            self._shared.end_failed()

    async def take_bell(self, queue: str) -> None:
        """Clear a bell that was received, then start the work: what arrives from then on must ring again."""
        try:
            await self.store.clear_bell(queue)
        except StoreUnavailable as error:
            log.warning("bell.stuck", queue=queue, reason=str(error))
        self.start_queue(queue)

    def note_heard(self) -> None:
        """Note that the process has taken a bell. Any thread may call it."""
        self._hearing.note_heard()

    def start_queues(self, queues: Sequence[str]) -> None:
        """Start work on the queues that this process has just added to: it needs no bell for them."""
        for queue in queues:
            self.start_queue(queue)

    def start_queue(self, queue: str) -> None:
        """Start work on a queue. Called on the loop."""
        if self._admission.refusal:
            return
        kind, _, name = queue.partition(":")
        if queue == JOBS:
            self._jobs.start()
            return
        if queue == INBOX:
            self._ticker.note_work()
            self._router.start()
        elif self._shared.stopping():
            return
        elif kind == ACCOUNT:
            self._start_fetcher(name)
        else:
            self._start_drainer(name)

    def _take_handed(self, handed: Handed) -> None:
        """Route what the store handed over. Called on the loop."""
        if not self._admission.refusal:
            self._ticker.note_work()
            self._router.take(handed)

    def _start_drainer(self, sink: str) -> None:
        drainer = self.drainer_of(sink)
        if drainer is None and sink in self.live.sinks:
            return  # its home is being found out: the next look begins it
        if drainer is None:
            # Of a newer configuration, or one that was removed: a worker that knows it sends its deliveries.
            if self._is_new_unknown(f"sink:{sink}"):
                log.warning("sink.unknown", sink=sink, config=self.live.config.version)
            return
        self._ticker.note_work()
        drainer.start()

    def drainer_of(self, sink: str) -> Drainer | None:
        """Return the drainer of a sink, None where this worker does not know it, or its home."""
        outside = is_subscriber(sink)
        if not outside and sink not in self.live.sinks:
            return None
        if sink not in self._drainers:
            home = self._shard if outside else self._homes.find(sink)
            if home is None:
                return None
            self._drainers[sink] = self._make_drainer(sink, home, self._guarded_tools if outside else self._tools)
        return self._drainers[sink]

    def _make_drainer(self, sink: str, home: str, tools: Tools) -> Drainer:
        """Make the drainer of a sink. What its attempts count and remember is in its home, too."""
        borrowing = None
        if home != self._shard:
            borrowing = self._homes.borrow(sink, home, self._shard, self.store)
            at_home = self._homes.store(home)
            tools = replace(tools, shared=SharedState(at_home.client, at_home.namespace))
        return Drainer(
            sink, self.live, self.store, tools, self.worker, self._shared.stopping, self._shared.hand,
            self._shared.tracer, borrowing,
        )  # fmt: skip

    def _start_fetcher(self, source: str) -> None:
        if source not in self.live.config.sources:
            if self._is_new_unknown(f"{ACCOUNT}:{source}"):
                log.warning("source.unknown", source=source, config=self.live.config.version)
            return
        self._ticker.note_work()
        if source not in self._fetchers:
            self._fetchers[source] = Fetcher(
                source, self.live, self.store, self._account, self.start_queues, self.worker, self._shared.stopping,
                self._shared.watchdog, self._shared.hand, self._shared.tracer,
            )  # fmt: skip
        self._fetchers[source].start()

    def _is_new_unknown(self, queue: str) -> bool:
        """Return whether it is new that this configuration does not have it: every look finds its work again."""
        unknown = (queue, self.live.config.version)
        is_new = unknown not in self._unknown
        self._unknown.add(unknown)
        return is_new

    def _account(self, source: str) -> AccountClient:
        """Return the client of a source's account, by the configuration in force. Raises ConfigError."""
        found = self.live.config.sources[source]
        return make_account_client(found, self._tools.shared, self._tools.session, self._shared.settings.secret_key)

    def _publish_bells(self, queues: Iterable[str]) -> None:
        """Publish bells in the background."""
        self._tasks.start("bells", self._ring(list(queues)))

    async def _ring(self, queues: Sequence[str]) -> None:
        if await self._ringer.ring(queues) and queues:
            self._hearing.note_rung()

    async def stop_listening(self) -> None:
        """Take no more wake-ups."""
        await self._listening.stop()

    async def finish(self, deadline: float) -> None:
        """Finish what is in flight, cancel at `deadline` (monotonic seconds) what is left."""
        agents: list[Drainer | Fetcher | Router] = [self._router, *self._drainers.values(), *self._fetchers.values()]
        await asyncio.gather(*[agent.finish(deadline) for agent in agents])
        await self._tasks.wait()
        self._lock.release()
        await self._watching.stop()
