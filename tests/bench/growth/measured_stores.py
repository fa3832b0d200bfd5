"""The stores of a measured relay: one server, or shards on the primaries of a cluster."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import redis

from relay.cli.context.store import open_shards, reader_of
from relay.embedded.broker import make_broker
from relay.embedded.server import EmbeddedStore
from relay.operations.shards import add_shard
from relay.store.acts import Author
from relay.store.keys import Keys
from relay.store.reader import Reader
from relay.store.scripts import Script
from relay.store.shard_list import FIRST, shard_namespace
from tests.bench.measuring import BOTH, cpu_seconds_of_tree
from tests.bench.stack import relay_store, run, running
from tests.bench.store_costs import StoreCosts, read_costs
from tests.clusters import names_on_other_nodes, run_cluster, slot_of

SLOW_MICROSECONDS: Final = 500  # scripts that take longer are looked at
MOST_SLOW: Final = 100_000  # of them are kept
NO_REWRITE: Final = ("--auto-aof-rewrite-percentage", "0")  # else the file that is counted is made anew


class Shard(NamedTuple):
    """A shard, and a connection to the server that has it."""

    client: "redis.Redis"
    keys: Keys

    def unfinished(self) -> bool:
        """Return whether anything of it is not at its end."""
        sinks = [sink.decode() for sink in self.client.hkeys(self.keys.sinks)]
        waiting = [self.keys.due("inbox"), self.keys.leased("inbox"), *map(self.keys.pending, sinks)]
        return bool(self.client.exists(*waiting))


class MeasuredStores:
    """The servers that have the shards of one relay, the first shard's first. What they did is counted over all."""

    def __init__(self, servers: Sequence[EmbeddedStore], shards: Sequence[Shard], url: str, broker_url: str) -> None:
        self.servers, self.shards, self.url, self.broker_url = servers, shards, url, broker_url
        self._clients = [redis.Redis.from_url(server.url) for server in servers]
        for client in self._clients:
            client.config_set("slowlog-max-len", MOST_SLOW)
        self.reset_slow()

    def reset_slow(self, microseconds: int = SLOW_MICROSECONDS) -> None:
        """From now on note the commands that take so long."""
        for client in self._clients:
            client.config_set("slowlog-log-slower-than", microseconds)
            client.slowlog_reset()

    def longest_ms(self) -> float:
        """Return how long the longest that was noted took."""
        return max([one["duration"] / 1000 for client in self._clients for one in client.slowlog_get(MOST_SLOW)] or [0])

    def calls_of(self, script: Script) -> int:
        """Count the calls of a script that were noted."""
        sha = b"EVALSHA " + script.sha.encode()
        noted = [one for client in self._clients for one in client.slowlog_get(MOST_SLOW)]
        return sum(one["command"].startswith(sha) for one in noted)

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds_of_tree(server.pid) for server in self.servers)

    def written_bytes(self) -> int:
        return sum(int(client.info("persistence")["aof_current_size"]) for client in self._clients)

    def memory_bytes(self) -> int:
        return sum(int(client.info("memory")["used_memory"]) for client in self._clients)

    def costs(self) -> StoreCosts:
        return read_costs(self.servers)

    def workers(self) -> int:
        """Count the workers that every shard knows."""
        return min(shard.client.zcard(shard.keys.workers) for shard in self.shards)

    def unfinished(self) -> bool:
        return any(shard.unfinished() for shard in self.shards)

    def close(self) -> None:
        for client in (*self._clients, *(shard.client for shard in self.shards)):
            client.close()


def one_store(stack: ExitStack, folder: Path, namespace: str) -> MeasuredStores:
    """Run one server."""
    server = stack.enter_context(relay_store(folder / "store", BOTH))
    shard = Shard(redis.Redis.from_url(server.url), Keys(namespace))
    found = MeasuredStores([server], [shard], server.url, make_broker(server.folder).url)
    stack.callback(found.close)
    return found


def shards_of_a_cluster(stack: ExitStack, folder: Path, namespace: str, count: int) -> MeasuredStores:
    """Run three primaries, with a shard on as many of them.

    Without replicas: what is acknowledged is on the disk of its primary, as on one server.
    """
    cluster = stack.enter_context(run_cluster(folder / "cluster", *NO_REWRITE, replicas=False))
    broker = stack.enter_context(running(make_broker(folder), BOTH))
    names = [FIRST, *names_on_other_nodes(namespace)][:count]
    run(_add_shards(cluster.url, namespace, names[1:]))
    namespaces = [shard_namespace(namespace, name) for name in names]
    shards = [Shard(redis.Redis.from_url(cluster.of_slot(slot_of(one))[0].url), Keys(one)) for one in namespaces]
    found = MeasuredStores(cluster.nodes, shards, cluster.url, broker.url)
    stack.callback(found.close)
    return found


async def _add_shards(url: str, namespace: str, names: Sequence[str]) -> None:
    """Add them before any process has started, so that each account is given to one of them."""
    shards = open_shards(url, namespace)
    for name in names:
        await add_shard(shards, name, Author(by="bench"))
    await shards.aclose()


@asynccontextmanager
async def open_reader(url: str, namespace: str) -> AsyncIterator[Reader]:
    """Yield what reads all shards of a relay."""
    shards = open_shards(url, namespace)
    try:
        await shards.refresh()
        yield reader_of(shards)
    finally:
        await shards.aclose()
