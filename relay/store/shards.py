"""The shards of one relay, as a process knows them: which there are, and the store of each."""

from collections.abc import Callable

from redis.asyncio import Redis

from relay.logs import log
from relay.model import is_subscriber
from relay.store.connect import nodes_of
from relay.store.home_gates import HomeGates
from relay.store.keys import Keys
from relay.store.shard_copies import drop_unowned, find_copy, keep_copies
from relay.store.shard_list import FIRST, ShardList, ShardRecord, shard_namespace
from relay.store.store import Store


class Shards:
    """The stores by their names. Until `refresh` has read the list there is the first one.

    `open` connects to the shard of a namespace; each has connections of its own, so that one which hangs takes none of
    the others. `whole`: where this is one shard of several, as if it were the only one: all of them.
    """

    def __init__(self, first: Store, open: Callable[[str], Store], whole: "Shards | None" = None) -> None:
        self.whole = whole
        self.first = first
        self.list = ShardList()
        self.is_copy = False  # it is to be read anew as soon as the first shard answers
        self.record = ShardRecord(first.client, first.namespace)
        self._open = open
        self._stores = {FIRST: first}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the shards in their order, the first before all others."""
        return self.list.names

    def store(self, name: str) -> Store:
        """Return the store of a shard; the first time connections to it are made."""
        if name not in self._stores:
            self._stores[name] = self._open(shard_namespace(self.first.namespace, name))
        return self._stores[name]

    def name_of(self, store: Store) -> str:
        """Return the name of a shard whose store was opened here."""
        return next(name for name, one in self._stores.items() if one is store)

    def stores(self) -> dict[str, Store]:
        """Return all stores by name, the first before all others."""
        return {name: self.store(name) for name in self.names}

    def of_gate(self, sink: str) -> Store | None:
        """Return the shard that has the gate of a sink of the file; None where that is not written yet."""
        home = None if is_subscriber(sink) else self.list.home_of(sink)
        return None if home is None else self.store(home)

    def gates(self, shard: str) -> HomeGates:
        """Return what reads the gates of sinks for a reader of a shard."""
        return HomeGates(shard, lambda sink: self.list.home_of(sink), self._connection)

    def _connection(self, shard: str) -> tuple[Redis, Keys]:
        store = self.store(shard)
        return store.client, store.keys

    async def refresh(self) -> None:
        """Read the list of shards anew. Raises StoreUnavailable: then what was known stays."""
        self.list = await self.record.read()
        self.is_copy = False

    async def keep_copies(self) -> None:
        """Keep the list that was read in the further shards."""
        await keep_copies(self.list, self.stores())

    async def read_copy(self, url: str) -> bool:
        """Take the newest copy of the list, while the first shard is away. Returns whether there is one."""
        nodes = nodes_of(url)
        copy = None if nodes is None else await find_copy(nodes, self.first.namespace)
        if copy is None or copy.epoch <= self.list.epoch:
            return False
        self.list = await drop_unowned(copy, {name: self.store(name) for name in copy.names if name != FIRST})
        self.is_copy = True
        log.warning("shards.copied", epoch=copy.epoch, shards=list(copy.names))
        return True

    async def aclose(self) -> None:
        """Close all connections."""
        for store in self._stores.values():
            await store.client.aclose()
