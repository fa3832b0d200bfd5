"""Compose a worker process: one asyncio loop works and takes wake-ups, Celery's threads receive the bells."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import uvloop
from celery import Celery

from relay.accounts.client import AccountClient
from relay.accounts.client_factory import make_account_client
from relay.background import BackgroundTasks
from relay.bells import Ringer
from relay.config.environment import ProcessSettings, hand_on
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.model import is_subscriber
from relay.operations.store_admission import StoreAdmission
from relay.sinks.ssrf_guard import open_guarded_session
from relay.sinks.tools import Tools
from relay.startup import freeze_startup_objects, report_ready
from relay.store.connect import connect
from relay.store.keys import ACCOUNT, INBOX, JOBS
from relay.store.records import Handed
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.store.sync import sync_of
from relay.tracing.opened import open_tracer
from relay.transport import CachingResolver, Session
from workers import watchdog
from workers.admission import wait_until_admitted
from workers.consumer import Consumer
from workers.drainer import Drainer
from workers.fetcher import Fetcher
from workers.hand import Hand
from workers.hearing import Hearing
from workers.job_functions import make_job_functions
from workers.jobs import JobRunner
from workers.listening import Listening
from workers.router import Router
from workers.stop_signal import call_on_stop_signal
from workers.ticker import Ticker
from workers.watchdog import Watchdog
from workers.worker_lock import WorkerLock, make_worker_name

GRACE_SECONDS = 18.0  # from SIGTERM until attempts are cancelled; Heroku kills at 30
END_SECONDS = 26.0  # from SIGTERM until what is not settled is left to its leases
CELERY_SECONDS = 4.0  # for Celery to end, once everything else has
ANSWER_SECONDS = 10.0
FAILED = 70  # the exit status of a process that cannot do its work
T = TypeVar("T")


class WorkerProcess:
    """Everything that lives as long as a worker process does. Nothing runs before `start`."""

    def __init__(self, settings: ProcessSettings, app: Celery) -> None:
        assert settings.redis_url is not None
        self._redis_url = settings.redis_url
        self._broker_url = settings.broker_url or settings.redis_url
        self._app = app
        self._live = LiveConfig(settings)
        self._name = make_worker_name()
        self._lock = WorkerLock(self._name)
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._stop_by = 0.0
        self._hand = Hand()
        self._drainers: dict[str, Drainer] = {}
        self._fetchers: dict[str, Fetcher] = {}
        self._unknown: set[tuple[str, str]] = set()  # queues that were logged, and by which configuration
        self._tasks = BackgroundTasks(self._stopping.is_set)
        self._finished = threading.Event()
        self._exit_status = 0
        self._watchdog = Watchdog(self._name, watchdog.LIMIT_SECONDS)
        self._watching = BackgroundTasks(self._stopping.is_set)
        self._settings = settings

    def start(self) -> None:
        """Start the loop and its ticker, which do the work also where Celery cannot reach its broker."""
        self._lock.acquire()
        threading.Thread(target=self._run_loop, name="loop", daemon=True).start()
        self.run(self._compose())
        call_on_stop_signal(self.stop_claiming)
        freeze_startup_objects()
        log.info("worker.started", worker=self._name, config=self._live.config.version, sinks=len(self._live.sinks))
        report_ready(self._settings.ready_fd)

    async def _compose(self) -> None:
        client = connect(self._redis_url, answer_seconds=ANSWER_SECONDS, connections=64)
        self._store = Store(client, self._settings.namespace, sync_of(self._settings.waitaof))
        self._admission = StoreAdmission(
            self._store, self._redis_url, lambda: self._live.config.sources.keys(), self._settings
        )
        shared = SharedState(self._store.client, self._settings.namespace)
        self._ringer = Ringer(self._app, self._store)
        self._tracer = open_tracer(hand_on("OTEL_"))
        names = CachingResolver()
        self._tools = Tools(
            Session(names, proxies=self._settings.proxies), shared, shared.clock.seconds, self._settings.secret_key
        )
        guarded = open_guarded_session(lambda: self._live.config.subscribers.allow, names, self._settings.proxies)
        self._guarded_tools = Tools(guarded, shared, shared.clock.seconds, self._settings.secret_key)
        self._router = Router(
            self._live, self._store, self._start_queues, self._name, self._stopping.is_set, self._watchdog, self._hand,
            self._drainer_of, self._tracer,
        )  # fmt: skip
        kinds = make_job_functions(
            self._live, self._store, self._settings, broker_url=self._broker_url, account=self._account,
            publish_bells=self._publish_bells, start_queues=self._start_queues, stopping=self._stopping.is_set,
        )  # fmt: skip
        self._jobs = JobRunner(self._live, self._store, self._name, self._stopping.is_set, kinds)
        self._watching.keep("watchdog", self._watchdog.run)
        self._hearing = Hearing(self._ringer.count_waiting, self._restart_consumer, self._end_failed)
        self._watching.keep("hearing", self._hearing.run)
        self._listening = Listening(lambda: self._store.open_wake_ups(self._name), self._start_queue, self._take_handed)
        self._watching.keep("listening", self._listening.run)
        self._ticker = Ticker(
            self._name, self._live, self._store, self._start_queue, self._listening,
            note_format=self._note_format, note_unanswered=self._hearing.note_rung,
        )  # fmt: skip
        self._tasks.keep("ticker", self._tick)

    async def _tick(self) -> None:
        """Find out that the store is this relay's, then look for work in it."""
        await wait_until_admitted(self._admission, self._stopping.is_set)
        await self._ticker.run(self._stopping.is_set)

    def _note_format(self, stored: int) -> None:
        """End where a newer release has begun to write to the store."""
        self._admission.note_format(stored)
        if self._admission.refusal:
            self._end_failed()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            if not self._stopping.is_set():
                # Without its loop a worker would receive bells and do nothing.
                log.critical("worker.loop_died", worker=self._name)
                os._exit(FAILED)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop from another thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def route(self) -> None:
        """Handle the inbox's bell."""
        self._clear_bell(INBOX)
        self._loop.call_soon_threadsafe(self._start_queue, INBOX)

    def drain(self, queue: str) -> None:
        """Handle the bell of a queue of deliveries."""
        self._clear_bell(queue)
        self._loop.call_soon_threadsafe(self._start_queue, queue)

    def run_jobs(self) -> None:
        """Handle the bell of background jobs."""
        self._clear_bell(JOBS)
        self._loop.call_soon_threadsafe(self._start_queue, JOBS)

    def _clear_bell(self, queue: str) -> None:
        self._hearing.note_heard()
        # Before the work starts: what arrives from now on must ring again.
        try:
            self.run(self._store.clear_bell(queue))
        except StoreUnavailable as error:
            log.warning("bell.stuck", queue=queue, reason=str(error))

    def _start_queues(self, queues: Sequence[str]) -> None:
        """Start work on the queues that this process has just added to: it needs no bell for them."""
        for queue in queues:
            self._start_queue(queue)

    def _start_queue(self, queue: str) -> None:
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
        elif self._stopping.is_set():
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
        drainer = self._drainer_of(sink)
        if drainer is None:
            # Of a newer configuration, or one that was removed: a worker that knows it sends its deliveries.
            if self._is_new_unknown(f"sink:{sink}"):
                log.warning("sink.unknown", sink=sink, config=self._live.config.version)
            return
        self._ticker.note_work()
        drainer.start()

    def _drainer_of(self, sink: str) -> Drainer | None:
        """Return the drainer of a sink, None where this worker does not know it."""
        outside = is_subscriber(sink)
        if not outside and sink not in self._live.sinks:
            return None
        if sink not in self._drainers:
            tools = self._guarded_tools if outside else self._tools
            self._drainers[sink] = Drainer(
                sink, self._live, self._store, tools, self._name, self._stopping.is_set, self._hand, self._tracer
            )
        return self._drainers[sink]

    def _start_fetcher(self, source: str) -> None:
        if source not in self._live.config.sources:
            if self._is_new_unknown(f"{ACCOUNT}:{source}"):
                log.warning("source.unknown", source=source, config=self._live.config.version)
            return
        self._ticker.note_work()
        if source not in self._fetchers:
            self._fetchers[source] = Fetcher(
                source, self._live, self._store, self._account, self._start_queues, self._name, self._stopping.is_set,
                self._watchdog, self._hand, self._tracer,
            )  # fmt: skip
        self._fetchers[source].start()

    def _is_new_unknown(self, queue: str) -> bool:
        """Return whether it is new that this configuration does not have it: every look finds its work again."""
        unknown = (queue, self._live.config.version)
        is_new = unknown not in self._unknown
        self._unknown.add(unknown)
        return is_new

    def _account(self, source: str) -> AccountClient:
        """Return the client of a source's account, by the configuration in force. Raises ConfigError."""
        found = self._live.config.sources[source]
        return make_account_client(found, self._tools.shared, self._tools.session, self._settings.secret_key)

    def _publish_bells(self, queues: Iterable[str]) -> None:
        """Publish bells in the background."""
        self._tasks.start("bells", self._ring(list(queues)))

    async def _ring(self, queues: Sequence[str]) -> None:
        if await self._ringer.ring(queues) and queues:
            self._hearing.note_rung()

    def _restart_consumer(self) -> None:
        if Consumer.running is not None:
            Consumer.running.reconnect()

    def _end_failed(self) -> None:
        """End in order, but as a failure: whoever keeps processes starts another."""
        self._exit_status = FAILED
        self.stop_claiming()

    def stop_claiming(self) -> None:
        """Claim nothing more, and finish what is in flight. A second signal does not extend the time."""
        with self._stop_lock:
            if self._stopping.is_set():
                return
            self._stop_by = time.monotonic() + GRACE_SECONDS
            self._stopping.set()
        log.info("worker.stopping", worker=self._name)
        threading.Thread(target=self._end, name="end", daemon=True).start()

    def stop(self) -> None:
        """Wait for what is in flight, cancel what takes too long, and settle it by what is known."""
        if self._loop.is_running():
            self.stop_claiming()
            self._finished.wait()

    def _end(self) -> None:
        """Finish, then end the process where Celery does not: it may hang on its broker."""
        finishing = asyncio.run_coroutine_threadsafe(self._finish(), self._loop)
        try:
            finishing.result(END_SECONDS)
        except Exception as error:  # noqa: BLE001  it must end, whatever stands in the way
            log.error("worker.unfinished", worker=self._name, reason=f"{type(error).__name__}: {error}")
        else:
            log.info("worker.stopped", worker=self._name)
        if self._exit_status:
            os._exit(self._exit_status)
        self._finished.set()
        time.sleep(CELERY_SECONDS)  # a thread of its own: it ends with the process
        log.warning("worker.celery_left", worker=self._name, reason=f"Celery has not ended within {CELERY_SECONDS:g} s")
        os._exit(0)

    async def _finish(self) -> None:
        await self._listening.stop()
        agents: list[Drainer | Fetcher | Router] = [self._router, *self._drainers.values(), *self._fetchers.values()]
        await asyncio.gather(*[agent.finish(self._stop_by) for agent in agents])
        await self._tasks.wait()
        self._lock.release()
        await self._tools.session.close()
        await self._guarded_tools.session.close()
        await self._store.client.aclose()
        await asyncio.to_thread(self._tracer.close)
        await self._watching.stop()
