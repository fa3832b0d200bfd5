"""A store with a replica, and Sentinels that make the replica the primary where that is gone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from relay.embedded.server import EmbeddedStore
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port
from tests.e2e.harness import until

NAME = "books"
DOWN_MS = 1000  # of silence, after which a Sentinel takes a server for gone


class Server(EmbeddedStore):
    """A server that also listens on a port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        super().__init__(folder, "--port", str(self.port), "--bind", "127.0.0.1", *options)


class Sentinel(EmbeddedStore):
    """A Sentinel. What it finds out it writes into its file."""

    def __init__(self, folder: Path, primary: int, quorum: int) -> None:
        self.port = free_port()
        super().__init__(folder)
        folder.mkdir(parents=True)
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"unixsocket {self.socket}",
            f"dir {folder}",
            f"sentinel monitor {NAME} 127.0.0.1 {primary} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 6000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [super()._command()[0], str(self.folder / "sentinel.conf"), "--sentinel"]


class SentinelGroup:
    """Two servers, of which one is the primary, and the Sentinels."""

    def __init__(self, folder: Path, sentinels: int) -> None:
        first = Server(folder / "1")
        self.servers = (first, Server(folder / "2", "--replicaof", "127.0.0.1", str(first.port)))
        self.sentinels = [Sentinel(folder / f"sentinel{n}", first.port, sentinels // 2 + 1) for n in range(sentinels)]

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self.sentinels)}/{NAME}"

    def primary(self) -> Server:
        """Return the server that is the primary, as the Sentinels say."""
        with redis.Redis(port=self.sentinels[0].port) as client:
            _, port = client.sentinel_get_master_addr_by_name(NAME)
        return next(server for server in self.servers if server.port == port)

    def fail_over(self) -> None:
        """Make the replica the primary, in order."""
        with redis.Redis(port=self.sentinels[0].port) as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME)

    def rejoin(self, server: Server) -> None:
        """Start a server as a replica, as its operator may: the Sentinels take their time for that."""
        server.start()
        with redis.Redis(port=server.port) as client:
            client.replicaof("127.0.0.1", str(self.primary().port))

    def ready(self) -> bool:
        """Whether every Sentinel knows the replica and the others, and the replica follows."""
        for sentinel in self.sentinels:
            with redis.Redis(port=sentinel.port) as client:
                state = client.sentinel_masters()[NAME]
                if state["num-slaves"] < 1 or state["num-other-sentinels"] < len(self.sentinels) - 1:
                    return False
        return self.replicating(self.primary())

    def replicating(self, primary: Server | None = None) -> bool:
        """Whether the other server follows this one, by default the first."""
        with redis.Redis(port=(primary or self.servers[0]).port, socket_timeout=1) as client:
            found = client.info("replication")
            return bool(
                found["role"] == "master" and found["connected_slaves"] > 0 and found["slave0"]["state"] == "online"
            )


@contextmanager
def sentinel_group(folder: Path, sentinels: int = 3) -> Iterator[SentinelGroup]:
    """Run them, and wait until they know each other."""
    group = SentinelGroup(folder, sentinels)
    with ExitStack() as stack:
        guard = OrphanGuard()
        stack.callback(guard.close)
        for server in (*group.servers, *group.sentinels):
            if server is group.sentinels[0]:  # they look for replicas at their start, and then every ten seconds
                until(group.replicating, what="the replica follows")
            stack.callback(server.stop)
            server.start()
            guard.watch(server.pid)
        until(group.ready, what="the Sentinels know their servers")
        yield group
