"""Compose a worker process: one asyncio loop does the work, Celery's threads hear the bells."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import uvloop
from celery import Celery

from relay.accounts.account import open_account
from relay.accounts.client import AccountClient
from relay.bells import Ringer
from relay.config.environment import Settings
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig, freeze_startup_objects
from relay.logs import log
from relay.sinks.address_guard import open_guarded_session
from relay.sinks.subscriber.sink import is_subscriber
from relay.sinks.tools import Tools
from relay.store.connect import connect
from relay.store.keys import ACCOUNT, INBOX, JOBS
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session
from workers.drainer import Drainer
from workers.fetcher import Fetcher
from workers.jobs import JobRunner
from workers.router import Router
from workers.source_monitor import CATCH_UP, LISTEN, SourceMonitor
from workers.ticker import Ticker

GRACE_SECONDS = 18.0  # from SIGTERM until calls are cut; Heroku kills at 30
ANSWER_SECONDS = 10.0
T = TypeVar("T")


class WorkerProcess:
    """Everything that lives as long as a worker process does. Nothing runs before `start`."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        assert settings.redis_url is not None
        self._redis_url = settings.redis_url
        self._namespace = settings.namespace
        self._app = app
        self._live = LiveConfig(settings)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._stopping = threading.Event()
        self._stop_by = 0.0
        self._drainers: dict[str, Drainer] = {}
        self._fetchers: dict[str, Fetcher] = {}
        self._ringing: set[asyncio.Task[list[str]]] = set()
        self._secret_key = settings.secret_key

    def start(self) -> None:
        """Start the loop and its ticker. Raises ConfigError, StoreUnavailable."""
        threading.Thread(target=self._run_loop, name="loop", daemon=True).start()
        self.run(self._compose())
        freeze_startup_objects()
        log.info("worker.started", worker=self._name, config=self._live.config.version, sinks=len(self._live.sinks))

    async def _compose(self) -> None:
        self._store = Store(connect(self._redis_url, answer_seconds=ANSWER_SECONDS, connections=64), self._namespace)
        shared = SharedState(self._store.client, self._namespace)
        self._ringer = Ringer(self._app, self._store)
        self._tools = Tools(session=Session(), shared=shared, now=time.time)
        guarded = open_guarded_session(lambda: self._live.config.subscribers.allow)
        self._tools_outside = Tools(session=guarded, shared=shared, now=time.time)
        self._router = Router(self._live, self._store, self._begin_all, self._stopping.is_set)
        watchman = SourceMonitor(lambda: self._live.config, self._store, self._account, self._ring)
        kinds = {LISTEN: watchman.listen, CATCH_UP: watchman.catch_up}
        self._jobs = JobRunner(self._live, self._store, self._stopping.is_set, kinds)
        ticker = Ticker(self._live, self._store, self._ringer, self._begin)
        self._ticking = asyncio.create_task(ticker.run(self._stopping.is_set))

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            if not self._stopping.is_set():
                # Without its loop a worker would hear bells and do nothing.
                log.critical("worker.loop_died", worker=self._name)
                os._exit(70)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop from another thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def route(self) -> None:
        """Hear the inbox's bell."""
        self._silence(INBOX)
        self._loop.call_soon_threadsafe(self._router.start)

    def drain(self, queue: str) -> None:
        """Hear a sink's bell."""
        self._silence(queue)
        self._loop.call_soon_threadsafe(self._drain, queue)

    def run_jobs(self) -> None:
        """Hear the bell of background work."""
        self._silence(JOBS)
        self._loop.call_soon_threadsafe(self._jobs.start)

    def _silence(self, queue: str) -> None:
        # First: what arrives from now on rings anew.
        try:
            self.run(self._store.clear_bell(queue))
        except StoreUnavailable as error:
            log.warning("bell.stuck", queue=queue, reason=str(error))

    def _begin_all(self, queues: Sequence[str]) -> None:
        """Start work on queues: what this process has just made, it need not be rung for."""
        for queue in queues:
            self._begin(queue)

    def _begin(self, queue: str) -> None:
        """Start work on a queue without Celery, on the loop."""
        if queue == INBOX:
            self._router.start()
        elif queue == JOBS:
            self._jobs.start()
        else:
            self._drain(queue)

    def _drain(self, queue: str) -> None:
        kind, _, sink = queue.partition(":")
        if self._stopping.is_set():
            return
        if kind == ACCOUNT:
            self._fetch(sink)
            return
        outside = is_subscriber(sink)
        if not outside and sink not in self._live.sinks:
            # A newer configuration, or an orphan: whoever knows it will send it.
            log.warning("sink.unknown", sink=sink, config=self._live.config.version)
            return
        if sink not in self._drainers:
            tools = self._tools_outside if outside else self._tools
            self._drainers[sink] = Drainer(sink, self._live, self._store, tools, self._name, self._stopping.is_set)
        self._drainers[sink].start()

    def _fetch(self, source: str) -> None:
        if source not in self._live.config.sources:
            log.warning("source.unknown", source=source, config=self._live.config.version)
            return
        if source not in self._fetchers:
            self._fetchers[source] = Fetcher(
                source, self._live, self._store, self._account, self._begin_all, self._name, self._stopping.is_set
            )
        self._fetchers[source].start()

    def _account(self, source: str) -> AccountClient:
        """Return the client of a source's account, by today's configuration. Raises ConfigError."""
        found = self._live.config.sources[source]
        return open_account(found, self._tools.shared, self._tools.session, self._secret_key)

    def _ring(self, queues: Iterable[str]) -> None:
        """Publish bells beside whatever else the loop does."""
        task = asyncio.create_task(self._ringer.ring(queues))
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    def stop_claiming(self) -> None:
        """Take nothing more; what is in flight goes on. A second signal does not prolong it."""
        if self._stopping.is_set():
            return
        self._stop_by = time.monotonic() + GRACE_SECONDS
        self._stopping.set()
        log.info("worker.stopping", worker=self._name)

    def stop(self) -> None:
        """Wait for what is in flight, cut what takes too long, and settle it by what is known of it."""
        self.stop_claiming()
        self.run(self._finish())
        log.info("worker.stopped", worker=self._name)

    async def _finish(self) -> None:
        busy: list[Drainer | Fetcher | Router] = [self._router, *self._drainers.values(), *self._fetchers.values()]
        await asyncio.gather(*[one.finish(self._stop_by) for one in busy])
        await asyncio.gather(*self._ringing)
        await self._ticking
        await self._tools.session.close()
        await self._tools_outside.session.close()
        await self._store.client.aclose()
