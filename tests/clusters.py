"""A cluster of embedded servers: three that share the slots, and a replica of each."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.crc import key_slot

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port
from tests.e2e.harness import until

DOWN_MS = 1000  # of silence, after which the nodes take one for gone
SLOTS = 16384
STORE_SLOT = key_slot(b"{relay}:")


class Node(EmbeddedStore):
    """A server of the cluster. What it finds out about the others it writes into its file."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            folder,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--cluster-port", str(free_port())),
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_MS)),
            *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
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
    """Six nodes."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / str(n)) for n in range(6)]

    @property
    def url(self) -> str:
        """The value for REDIS_URL, as settings have it: two of the nodes, neither of them the store's."""
        others = [node for node in self.nodes if node not in self.of_store()][:2]
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in others)}/relay"

    def of_store(self) -> list[Node]:
        """Return the nodes that have the store's slot, its primary first, as the first node that answers knows them."""
        for node in self.nodes:
            if not node.running:
                continue
            try:
                with redis.Redis(port=node.port, socket_timeout=1) as client:
                    slots = client.execute_command("CLUSTER SLOTS")
            except redis.RedisError:
                continue
            for first, last, *found in slots:
                if first <= STORE_SLOT <= last:
                    return [next(one for one in self.nodes if one.port == port) for _, port, *_ in found]
        raise AssertionError("no node knows the store's slot")

    def primary(self) -> Node:
        """Return the node that is the store."""
        return self.of_store()[0]

    def ready(self) -> bool:
        """Whether every node knows that all slots are served, and every primary has its replica."""
        for node in self.nodes:
            info = _text(node.ask("CLUSTER", "INFO"))
            if "cluster_state:ok" not in str(info) or "cluster_known_nodes:6" not in str(info):
                return False
        followed = ["slave0" in str(node.ask("INFO", "replication")) for node in self.nodes]
        return sum(followed) == 3 and len(self.of_store()) == 2

    def move_store(self) -> Node:
        """Move the store's slot at once, as Valkey 9 can; return the node that is to have it."""
        old = self.primary()
        new = next(node for node in self.nodes[:3] if node is not old)
        old.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", STORE_SLOT, STORE_SLOT, "NODE", new.id)
        return new

    def begin_move_by_keys(self) -> tuple[Node, Node]:
        """Begin to move it key by key, as every version can; return from where and whereto."""
        old = self.primary()
        new = next(node for node in self.nodes[:3] if node is not old)
        new.ask("CLUSTER", "SETSLOT", STORE_SLOT, "IMPORTING", old.id)
        old.ask("CLUSTER", "SETSLOT", STORE_SLOT, "MIGRATING", new.id)
        return old, new

    def end_move_by_keys(self, old: Node, new: Node) -> None:
        """Move all keys, and tell every primary."""
        while keys := old.ask("CLUSTER", "GETKEYSINSLOT", STORE_SLOT, 100):
            assert isinstance(keys, list)
            old.ask("MIGRATE", "127.0.0.1", new.port, "", 0, 5000, "KEYS", *keys)  # type: ignore[arg-type]
        for node in (new, old, *self.nodes[:3]):
            node.ask("CLUSTER", "SETSLOT", STORE_SLOT, "NODE", new.id)


def _text(answer: object) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)


@contextmanager
def run_cluster(folder: Path) -> Iterator[Cluster]:
    """Run the nodes, let them meet, share the slots, and wait until all is well."""
    cluster = Cluster(folder)
    with ExitStack() as stack:
        guard = OrphanGuard()
        stack.callback(guard.close)
        for node in cluster.nodes:
            stack.callback(node.stop)
            node.start()
            guard.watch(node.pid)
        first, second, third, *replicas = cluster.nodes
        for n, node in enumerate((first, second, third)):
            node.ask("CLUSTER", "ADDSLOTSRANGE", n * SLOTS // 3, (n + 1) * SLOTS // 3 - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        for node in cluster.nodes[1:]:
            first.ask("CLUSTER", "MEET", "127.0.0.1", *node.bus())
        until(lambda: all(":6" in str(node.ask("CLUSTER", "INFO")).split("cluster_known_nodes")[1][:3]
                          for node in cluster.nodes), what="the nodes know each other")  # fmt: skip
        for replica, primary in zip(replicas, (first, second, third), strict=True):
            replica.ask("CLUSTER", "REPLICATE", primary.id)
        until(cluster.ready, what="all slots are served, with replicas")
        yield cluster
