"""A cluster of embedded servers: three that share the slots, and, where that is wanted, a replica of each."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.crc import key_slot

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port
from relay.store.keys import Keys
from relay.store.shard_list import FIRST, shard_namespace
from tests.e2e.harness import until

DOWN_MS = 1000  # of silence, after which the nodes take one for gone
SLOTS = 16384
STORE_SLOT = key_slot(b"{relay}:")
PRIMARIES = 3


class Node(EmbeddedStore):
    """A server of the cluster. What it finds out about the others it writes into its file."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--cluster-port", str(free_port())),
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_MS)),
            *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
            *options,
        )

    def ask(self, *command: str | int) -> bytes | list[object]:
        """Run a command on this very node."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        """Its name among the nodes."""
        return _text(self.ask("CLUSTER", "MYID"))

    def bus(self) -> tuple[str, str]:
        """Return the ports by which others meet it."""
        return str(self.port), self._options[self._options.index("--cluster-port") + 1]


class Cluster:
    """Three primaries, and then their replicas."""

    def __init__(self, folder: Path, *options: str, replicas: bool = True) -> None:
        self.nodes = [Node(folder / str(n), *options) for n in range(2 * PRIMARIES if replicas else PRIMARIES)]

    @property
    def url(self) -> str:
        """The value for REDIS_URL, as settings have it: two of the nodes, neither of them the store's."""
        others = [node for node in self.nodes if node not in self.of_store()][:2]
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in others)}/relay"

    def of_store(self) -> list[Node]:
        """Return the nodes that have the store's slot, its primary first."""
        return self.of_slot(STORE_SLOT)

    def of_slot(self, slot: int) -> list[Node]:
        """Return the nodes that have a slot, its primary first, as the first node that answers knows them."""
        for node in self.nodes:
            if not node.running:
                continue
            try:
                with redis.Redis(port=node.port, socket_timeout=1) as client:
                    slots = client.execute_command("CLUSTER SLOTS")
            except redis.RedisError:
                continue
            for first, last, *found in slots:
                if first <= slot <= last:
                    return [next(one for one in self.nodes if one.port == port) for _, port, *_ in found]
        raise AssertionError(f"no node knows slot {slot}")

    def primary(self) -> Node:
        """Return the node that is the store."""
        return self.of_store()[0]

    def ready(self) -> bool:
        """Whether every node knows that all slots are served, and every primary has its replica."""
        for node in self.nodes:
            info = _text(node.ask("CLUSTER", "INFO"))
            if "cluster_state:ok" not in info or f"cluster_known_nodes:{len(self.nodes)}\r" not in info:
                return False
        followed = ["slave0" in _text(node.ask("INFO", "replication")) for node in self.nodes]
        replicas = len(self.nodes) - PRIMARIES
        return sum(followed) == replicas and len(self.of_store()) == (2 if replicas else 1)

    def move_store(self) -> Node:
        """Move the store's slot at once, as Valkey 9 can; return the node that is to have it."""
        old = self.primary()
        new = next(node for node in self.nodes[:PRIMARIES] if node is not old)
        old.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", STORE_SLOT, STORE_SLOT, "NODE", new.id)
        return new

    def begin_move_by_keys(self) -> tuple[Node, Node]:
        """Begin to move it key by key, as every version can; return from where and whereto."""
        old = self.primary()
        new = next(node for node in self.nodes[:PRIMARIES] if node is not old)
        new.ask("CLUSTER", "SETSLOT", STORE_SLOT, "IMPORTING", old.id)
        old.ask("CLUSTER", "SETSLOT", STORE_SLOT, "MIGRATING", new.id)
        return old, new

    def end_move_by_keys(self, old: Node, new: Node) -> None:
        """Move all keys, and tell every primary."""
        while keys := old.ask("CLUSTER", "GETKEYSINSLOT", STORE_SLOT, 100):
            assert isinstance(keys, list)
            old.ask("MIGRATE", "127.0.0.1", new.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[arg-type]
        for node in (new, old, *self.nodes[:PRIMARIES]):
            node.ask("CLUSTER", "SETSLOT", STORE_SLOT, "NODE", new.id)


def _text(answer: object) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)


def names_on_other_nodes(namespace: str = "relay") -> list[str]:
    """Return names of two shards, so that with the first one each of the three is on a primary of its own."""
    by_primary: dict[int, str] = {}
    for shard in (FIRST, *(f"{n:02}" for n in range(1, 100))):
        by_primary.setdefault(slot_of(shard_namespace(namespace, shard)) * PRIMARIES // SLOTS, shard)
    return sorted(shard for shard in by_primary.values() if shard != FIRST)


def slot_of(namespace: str) -> int:
    """Return the slot of a store."""
    return int(key_slot(Keys(namespace).prefix.encode()))


@contextmanager
def run_cluster(folder: Path, *options: str, replicas: bool = True) -> Iterator[Cluster]:
    """Run the nodes, let them meet, share the slots, and wait until all is well."""
    cluster = Cluster(folder, *options, replicas=replicas)
    with ExitStack() as stack:
        guard = OrphanGuard()
        stack.callback(guard.close)
        for node in cluster.nodes:
            stack.callback(node.stop)
            node.start()
            guard.watch(node.pid)
        primaries, followers = cluster.nodes[:PRIMARIES], cluster.nodes[PRIMARIES:]
        for n, node in enumerate(primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", n * SLOTS // PRIMARIES, (n + 1) * SLOTS // PRIMARIES - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in cluster.nodes[1:]:
            cluster.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", *node.bus())
        known = f"cluster_known_nodes:{len(cluster.nodes)}\r"
        until(lambda: all(known in _text(node.ask("CLUSTER", "INFO")) for node in cluster.nodes),
              what="the nodes know each other")  # fmt: skip
        for replica, primary in zip(followers, primaries, strict=False):
            replica.ask("CLUSTER", "REPLICATE", primary.id)
        until(cluster.ready, what="all slots are served, by all nodes that there are")
        yield cluster
