"""Compose a worker process: one asyncio loop works and takes wake-ups, Celery's threads receive the bells."""

import asyncio
import os
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop
from celery import Celery

from relay.background import BackgroundTasks
from relay.bells import read_bell
from relay.config.environment import ProcessSettings, hand_on
from relay.config.store_address import move_slot
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig, ShardLive
from relay.logs import log
from relay.sinks.ssrf_guard import open_guarded_session
from relay.startup import freeze_startup_objects, report_ready
from relay.store.connect import connect
from relay.store.health import read_life
from relay.store.keys import INBOX, JOBS
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.shard_list import FIRST
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.sync import sync_of
from relay.tracing.opened import open_tracer
from relay.transport import CachingResolver, Session
from workers import watchdog
from workers.consumer import Consumer
from workers.hand import Hand
from workers.homes import Homes, name_worker
from workers.shard_work import ANSWER_SECONDS, CONNECTIONS, ShardWork, Shared
from workers.stop_signal import call_on_stop_signal
from workers.watchdog import Watchdog
from workers.worker_lock import make_worker_name

FIRST_SECONDS = 2.0  # for the first shard to answer as a process starts
GRACE_SECONDS = 18.0  # from SIGTERM until attempts are cancelled; Heroku kills at 30
END_SECONDS = 26.0  # from SIGTERM until what is not settled is left to its leases
CELERY_SECONDS = 4.0  # for Celery to end, once everything else has
FAILED = 70  # the exit status of a process that cannot do its work
T = TypeVar("T")


class WorkerProcess:
    """Everything that lives as long as a worker process does. Nothing runs before `start`."""

    def __init__(self, settings: ProcessSettings, app: Celery) -> None:
        assert settings.redis_url is not None
        self._redis_url = settings.redis_url
        self._app = app
        self._live = LiveConfig(settings)
        self._name = make_worker_name()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._stopping = threading.Event()
        self._stop_lock = threading.Lock()
        self._stop_by = 0.0
        self._works: dict[str, ShardWork] = {}
        self._reading: asyncio.Task[None] | None = None  # of the list of shards
        self._finished = threading.Event()
        self._exit_status = 0
        self._watchdog = Watchdog(self._name, watchdog.LIMIT_SECONDS)
        self._watching = BackgroundTasks(self._stopping.is_set)
        self._settings = settings

    def start(self) -> None:
        """Start the loop and its ticker, which do the work also where Celery cannot reach its broker."""
        threading.Thread(target=self._run_loop, name="loop", daemon=True).start()
        self.run(self._compose())
        call_on_stop_signal(self.stop_claiming)
        freeze_startup_objects()
        log.info("worker.started", worker=self._name, config=self._live.config.version, sinks=len(self._live.sinks))
        report_ready(self._settings.ready_fd)

    async def _compose(self) -> None:
        first = self._open_store(self._settings.namespace)
        self._shards = Shards(first, self._open_store)
        self._tracer = open_tracer(hand_on("OTEL_"))
        names = CachingResolver()
        guarded = open_guarded_session(lambda: self._live.config.subscribers.allow, names, self._settings.proxies)
        self._readers = Readers(self._read_stores, lambda source: self._shards.list.shard_of(source))
        self._shared = Shared(
            settings=self._settings,
            app=self._app,
            session=Session(names, proxies=self._settings.proxies),
            guarded=guarded,
            tracer=self._tracer,
            hand=Hand(),
            watchdog=self._watchdog,
            stopping=self._stopping.is_set,
            end_failed=self._end_failed,
            restart_consumer=self._restart_consumer,
            note_epoch=self._note_epoch,
            reader=self._readers,
            stores=lambda: self._shards.stores(),
        )
        self._watching.keep("watchdog", self._watchdog.run)
        self._homes = Homes(self._shards, self._live, self._name, self._watching, self._read_shards)
        self._begin_shard(FIRST)
        self._watching.start("shards of a copy", self._begin_without_first())

    def _read_stores(self) -> dict[str, Reader]:
        stores = self._shards.stores()
        if len(stores) == 1:
            return {name: Reader(store.client, store.namespace) for name, store in stores.items()}
        return {name: Reader(store.client, store.namespace, self._shards.gates(name)) for name, store in stores.items()}

    def _open_store(self, namespace: str) -> Store:
        url = move_slot(self._redis_url, namespace)
        client = connect(url, answer_seconds=ANSWER_SECONDS, connections=CONNECTIONS)
        return Store(client, namespace, sync_of(self._settings.waitaof))

    def _begin_shard(self, shard: str) -> None:
        """Begin to work on a shard. Called on the loop."""
        work = ShardWork(
            self._shared,
            self._shards.store(shard),
            self._live if shard == FIRST else ShardLive(self._live),
            name_worker(self._name, shard),
            shard,
            self._homes,
            lambda sources: self._shards.list.owned_by(shard, sources),
        )
        work.lock()
        work.start()
        self._works[shard] = work

    def _note_epoch(self, epoch: int) -> None:
        """Read the list of shards, where a look has found that it has changed."""
        self._homes.note_epoch(epoch)
        if (epoch > self._shards.list.epoch or self._shards.is_copy) and self._reading is None:
            self._reading = self._watching.start("shards", self._read_shards())
            self._reading.add_done_callback(self._note_read)

    def _note_read(self, _: object) -> None:
        self._reading = None

    async def _read_shards(self) -> None:
        """Begin to work on the shards that are new. Where the first shard is away, the next look asks again."""
        try:
            await self._shards.refresh()
        except StoreUnavailable as error:
            log.warning("shards.unread", reason=str(error))
            return
        self._begin_shards()
        self._watching.start("copies of the list of shards", self._shards.keep_copies())

    async def _begin_without_first(self) -> None:
        """Begin to work on the further shards, where the first one is away as this process starts."""
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                await read_life(self._shards.first.client, self._shards.first.keys.life)
        except (TimeoutError, StoreUnavailable):
            if await self._shards.read_copy(self._redis_url):
                self._homes.note_epoch(self._shards.list.epoch)
                self._begin_shards()

    def _begin_shards(self) -> None:
        for shard in self._shards.names:
            if shard not in self._works and not self._stopping.is_set():
                self._begin_shard(shard)
                log.info("shard.begun", shard=shard)

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
        self._take_bell(FIRST, INBOX)

    def drain(self, name: str) -> None:
        """Handle the bell of a queue of deliveries, and any of a further shard (`read_bell`)."""
        self._take_bell(*read_bell(name))

    def run_jobs(self) -> None:
        """Handle the bell of background jobs."""
        self._take_bell(FIRST, JOBS)

    def _take_bell(self, shard: str, queue: str) -> None:
        for work in list(self._works.values()):
            work.note_heard()
        if shard in self._works:  # else this process does not know of it yet: its looks find it
            asyncio.run_coroutine_threadsafe(self._works[shard].take_bell(queue), self._loop)

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
        works = list(self._works.values())
        await asyncio.gather(*[work.stop_listening() for work in works])
        await asyncio.gather(*[work.finish(self._stop_by) for work in works])
        await self._shards.aclose()
        await self._shared.session.close()
        await self._shared.guarded.close()
        await asyncio.to_thread(self._tracer.close)
        await self._watching.stop()
