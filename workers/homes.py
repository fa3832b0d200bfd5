"""Which shard is the home of each sink of the file: its gate and its limits are there, for all shards together."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from relay.background import BackgroundTasks
from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log
from relay.store.shard_list import FIRST
from relay.store.shards import Shards
from relay.store.store import Store
from workers.borrowing import Borrowing, Home


def name_worker(worker: str, shard: str) -> str:
    """Return what a worker process is called in a shard: the name by which others find out whether it lives."""
    return worker if shard == FIRST else f"{worker}:{shard}"


def group_by_limits(limits: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Put together the sinks that share a limit. `limits`: the keys of each sink's; one without any is alone."""
    groups: list[tuple[set[str], list[str]]] = []
    for sink, keys in sorted(limits.items()):
        joined = [group for group in groups if group[0] & set(keys)]
        groups = [group for group in groups if group not in joined]
        all_keys = {key for group_keys, _ in joined for key in group_keys} | set(keys)
        groups.append((all_keys, sorted([*(name for _, names in joined for name in names), sink])))
    return [names for _, names in groups]


class Homes:
    """The homes of the sinks, as a process knows them. While there is one shard it is the home of all.

    `read_shards` reads the list of shards anew.
    """

    def __init__(
        self,
        shards: Shards,
        live: LiveConfig,
        worker: str,
        tasks: BackgroundTasks,
        read_shards: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._shards = shards
        self._live = live
        self._worker = worker
        self._tasks = tasks
        self._read_shards = read_shards
        self._registered: frozenset[str] = frozenset()
        self._epoch: int | None = None  # the newest of the list of shards that was heard of
        self._assigning = False
        self._is_away = False
        self._compared = ""  # the version of the configuration whose limits were compared

    def note_epoch(self, epoch: int) -> None:
        """Note the epoch that a look at the first shard has found. Before that no home is known."""
        self._epoch = max(self._epoch or 0, epoch)

    def note_registered(self, sinks: Iterable[str]) -> None:
        """Note that the first shard knows these sinks."""
        self._registered = frozenset(sinks)

    def find(self, sink: str) -> str | None:
        """Return the home of a sink of the file; None where it is not known yet: then it is being found out.

        The only shard is the home of those sinks alone that it knows: whoever adds a second one writes that of these.
        """
        known = self._shards.list
        if self._epoch is None or self._epoch > known.epoch or not (known.epoch or sink in self._registered):
            return None
        home = known.home_of(sink)
        if home is None and not self._assigning:
            self._assigning = True
            self._tasks.start("homes", self._assign())
        if known.several and self._compared != self._live.config.version:
            self._compare_limits()
        return home

    def borrow(self, sink: str, home: str, shard: str, store: Store) -> Borrowing:
        """Return the calls of a drainer of a shard that is not the sink's home."""
        lender = Home(home, self._shards.store(home), shard)
        return Borrowing(sink, store, lender, name_worker(self._worker, home))

    def store(self, home: str) -> Store:
        """Return the store of a shard."""
        return self._shards.store(home)

    async def _assign(self) -> None:
        """Choose homes for the sinks that have none."""
        try:
            await self._shards.record.assign_homes(self._groups(), self._shards.names)
            await self._read_shards()
            self._is_away = False
        except StoreUnavailable as error:
            if not self._is_away:
                log.warning("homes.unknown", reason=str(error))
            self._is_away = True
        finally:
            self._assigning = False

    def _groups(self) -> list[list[str]]:
        return group_by_limits({name: [limit.key for limit in sink.limits] for name, sink in self._live.sinks.items()})

    def _compare_limits(self) -> None:
        """Say where sinks share a limit by now whose homes are different: homes stay, so each counts for itself."""
        self._compared = self._live.config.version
        for sinks in self._groups():
            homes = {home for sink in sinks if (home := self._shards.list.home_of(sink)) is not None}
            if len(homes) > 1:
                log.warning("sinks.limit_divided", sinks=sinks, homes=sorted(homes))
