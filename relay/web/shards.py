"""Store each hook in the shard of its source. One that hangs holds up no other: each has its own writer."""

import asyncio
import time
from typing import Final

from celery import Celery

from relay.background import BackgroundTasks
from relay.bells import Ringer
from relay.config.environment import ProcessSettings
from relay.config.store_address import move_slot
from relay.errors import NotOwned, StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.operations.store_admission import StoreAdmission
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.records import Hook
from relay.store.shard_list import FIRST, Ownership, choose_shard
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.stores import Stores
from relay.store.sync import sync_of
from relay.web.group_commit import AMOCRM_WAITS_SECONDS, MAX_GROUPS_IN_FLIGHT, Acceptance, GroupCommit
from relay.web.store_monitor import StoreMonitor

FOLLOW_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = AMOCRM_WAITS_SECONDS - 0.3  # so that 503 is answered while amoCRM still waits
_READER_SECONDS: Final = 5.0


class WebShard:
    """One shard in a web process: its own connections, writer, and knowledge of how full it is."""

    def __init__(self, name: str, store: Store, settings: ProcessSettings, live: LiveConfig, celery: Celery) -> None:
        assert settings.redis_url is not None
        url = move_slot(settings.redis_url, store.namespace)
        sync = sync_of(settings.waitaof)
        self.name = name
        self.store = store
        self.reader = Reader(connect(url, answer_seconds=_READER_SECONDS), store.namespace)
        self.patient = Store(self.reader.client, store.namespace)  # for people, who wait longer than amoCRM
        admission = StoreAdmission(store, settings.redis_url, lambda: live.config.sources.keys(), settings)
        self.monitor = StoreMonitor(self.reader, live, admission, sync)
        self.commit = GroupCommit(store, Ringer(celery, store, shard=name), lambda: self.monitor.refusal)

    def start(self, tasks: BackgroundTasks) -> None:
        """Start what runs for as long as the process lives."""
        tasks.keep(f"commit {self.name}", self.commit.run)
        tasks.keep(f"store monitor {self.name}", self.monitor.run)


class WebShards:
    """All shards that a web process knows of: one, until the list in the first says that there are more."""

    def __init__(self, settings: ProcessSettings, live: LiveConfig, celery: Celery) -> None:
        assert settings.redis_url is not None
        self._settings = settings
        self._url = settings.redis_url
        self._live = live
        self._celery = celery
        self._shards = Shards(self._open_store(settings.namespace), self._open_store)
        self._tasks = BackgroundTasks()
        self._reading: asyncio.Task[None] | None = None
        self.first = self._make(FIRST)
        self._known = {FIRST: self.first}
        self._by_source: dict[str, WebShard] = {}  # without one: the first
        self._with_gates: dict[str, Reader] = {}  # the readers of shards, where there are several
        self.reader = Readers(self._readers, self._shard_of)
        self.stores = Stores(self._stores, self.reader, self._shard_of, lambda sink: self._shards.list.home_of(sink))
        self.subscriptions = self.stores.subscriptions

    def _readers(self) -> dict[str, Reader]:
        if not self._shards.list.several:
            return {name: shard.reader for name, shard in self._known.items()}
        for name in self._known.keys() - self._with_gates.keys():
            reader = self._known[name].reader
            self._with_gates[name] = Reader(reader.client, reader.namespace, self._shards.gates(name))
        return {name: self._with_gates[name] for name in self._known}

    def _stores(self) -> dict[str, Store]:
        return {name: shard.patient for name, shard in self._known.items()}

    def _shard_of(self, source: str) -> str:
        return self.of(source).name

    def _open_store(self, namespace: str) -> Store:
        """Connect with a connection for each group in flight and one for bells."""
        assert self._settings.redis_url is not None
        url = move_slot(self._settings.redis_url, namespace)
        client = connect(url, answer_seconds=_ANSWER_SECONDS, connections=MAX_GROUPS_IN_FLIGHT + 1)
        return Store(client, namespace, sync_of(self._settings.waitaof))

    def _make(self, name: str) -> WebShard:
        return WebShard(name, self._shards.store(name), self._settings, self._live, self._celery)

    @property
    def all(self) -> list[WebShard]:
        """The shards that are known now, the first before all others."""
        return list(self._known.values())

    def of(self, source: str) -> WebShard:
        """Return the shard that a source belongs to."""
        return self._by_source.get(source, self.first)

    def over_share(self, source: str) -> bool:
        """Return whether a source takes its whole share of its shard."""
        return self.of(source).monitor.over_share(source)

    async def put(self, hook: Hook, started_at: float) -> Acceptance:
        """Store a hook whose request started at `started_at` (monotonic seconds).

        Where its shard says that the source is another's, the list is read anew. Raises StoreUnavailable.
        """
        try:
            return await self.of(hook.source).commit.put(hook, started_at)
        except NotOwned:
            await self._read_in_time(started_at)
            await self._own(hook.source)
        return await self.of(hook.source).commit.put(hook, started_at)

    def answered_late(self, id: str, source: str) -> None:
        """Note that a receipt's answer came too late."""
        self.of(source).commit.answered_late(id)

    async def _own(self, source: str) -> None:
        """Let the shard know that a source is its own: whoever wrote that into the list may have been killed before."""
        assigned = self._shards.list.sources.get(source)
        if assigned is None or assigned.moving:
            raise NotOwned(f"{source} is {'on its way to another shard' if assigned else 'no shard has it yet'}")
        store = self._shards.store(assigned.shard)
        if not await Ownership(store.client, store.namespace).own(source, assigned.epoch):
            raise NotOwned(f"{source} was given to another shard just now")

    async def _read_in_time(self, started_at: float) -> None:
        """Read the list while amoCRM waits; all that ask meanwhile wait for one reading."""
        try:
            async with asyncio.timeout(max(started_at + AMOCRM_WAITS_SECONDS - time.monotonic(), 0)):
                await asyncio.shield(self._read())
        except TimeoutError:
            raise StoreUnavailable("the first shard did not say in time whose the source is") from None

    def _read(self) -> asyncio.Task[None]:
        if self._reading is None:
            self._reading = self._tasks.start("list of shards", self._read_list())
            self._reading.add_done_callback(self._note_read)
        return self._reading

    def _note_read(self, _: object) -> None:
        self._reading = None

    async def _read_list(self) -> None:
        """Read the list, give each new source to a shard, and take what is new into use."""
        try:
            await self._shards.refresh()
            if new := self._unassigned():
                for source in new:
                    await self._shards.record.assign(source, None, choose_shard(source, self._shards.names))
                await self._shards.refresh()
        except StoreUnavailable as error:
            log.warning("shards.unread", reason=str(error))
            return
        self._take_into_use()

    def _take_into_use(self) -> None:
        """Begin with the shards that are new, and put each hook where the list says from now on."""
        for name in self._shards.names:
            if name not in self._known:
                self._known[name] = shard = self._make(name)
                shard.start(self._tasks)
                log.info("shard.begun", shard=name)
        self._by_source = {source: self._known[one.shard] for source, one in self._shards.list.sources.items()}

    def _unassigned(self) -> list[str]:
        if not self._shards.list.several:
            return []
        return [source for source in self._live.config.sources if source not in self._shards.list.sources]

    def _is_outdated(self) -> bool:
        """Return whether the list is another one than this process knows, or is about to be."""
        life, known = self.first.monitor.life, self._shards.list
        if self._shards.is_copy:
            return life is not None
        moving = any(one.moving for one in known.sources.values())
        return moving or bool(self._unassigned()) or (life is not None and life.shards > known.epoch)

    async def start(self) -> None:
        """Look at the stores, and start what runs for as long as the process lives."""
        await self.first.monitor.check()
        if self._is_outdated():
            await self._read()
        elif self.first.monitor.problem and await self._shards.read_copy(self._url):
            self._take_into_use()
        self.first.start(self._tasks)
        self._tasks.keep("shards", self._follow)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if self._is_outdated():
                await self._read()

    async def stop(self) -> None:
        """Stop all of it."""
        await self._tasks.stop()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._shards.aclose()
        for shard in self.all:
            await shard.reader.client.aclose()
