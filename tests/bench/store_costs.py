"""What work costs a store: the commands it ran, and how often what it wrote had to be on the disk."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import redis

from relay.embedded.server import EmbeddedStore

SCRIPTS = ("evalsha", "eval", "fcall")  # told apart: what they run is counted with the commands
OWN = ("info", "ping", "config", "hello", "client", "slowlog")  # of the bench, and of whoever connects


class StoreCosts(NamedTuple):
    """Counted from the start of a store, or between two such counts."""

    commands: int
    scripts: int
    synced_writes: int

    def __add__(self, other: tuple[int, ...]) -> Self:
        return type(self)(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other: tuple[int, ...]) -> Self:
        return type(self)(*(a - b for a, b in zip(self, other, strict=True)))


def read_costs(servers: Iterable[EmbeddedStore]) -> StoreCosts:
    """Read what all of them did since they were started. Their files must not have been rewritten."""
    return sum(map(_costs_of, servers), StoreCosts(0, 0, 0))


def _costs_of(server: EmbeddedStore) -> StoreCosts:
    with redis.Redis.from_url(server.url) as client:
        stats = client.info("commandstats")
    calls: dict[str, int] = {}
    for name, one in stats.items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        calls[command] = calls.get(command, 0) + one["calls"]
    scripts = sum(calls.pop(name, 0) for name in SCRIPTS)
    commands = sum(count for name, count in calls.items() if name not in OWN)
    return StoreCosts(commands=commands, scripts=scripts, synced_writes=_count_synced(server.folder))


def _count_synced(folder: Path) -> int:
    """Count in the append-only file. A store without one has nothing to sync."""
    return sum(count_writes(file.read_bytes()) for file in (folder / "appendonlydir").glob("*.incr.aof"))


def count_writes(file: bytes) -> int:
    """Count what was written at once: a command, or all between MULTI and EXEC, as what a script wrote stands there.

    With `appendfsync always` each is on the disk before its answer leaves. Of several clients that wrote at the same
    time one sync may serve all, so under load there are fewer.
    """
    writes, within = 0, False
    for command in _commands(file):
        if command == b"MULTI":
            within = True
        elif command == b"EXEC":
            writes, within = writes + 1, False
        elif command != b"SELECT" and not within:
            writes += 1
    return writes


def _commands(file: bytes) -> Iterator[bytes]:
    """Yield the names of the commands; one that is not whole yet is left out."""
    at = 0
    while (end := file.find(b"\r\n", at)) >= 0:
        if file[at : at + 1] == b"#":  # an annotation
            at = end + 2
            continue
        arguments, at, name = int(file[at + 1 : end]), end + 2, b""
        for number in range(arguments):
            end = file.find(b"\r\n", at)
            if end < 0:
                return
            length = int(file[at + 1 : end])
            if not number:
                name = file[end + 2 : end + 2 + length]
            at = end + 2 + length + 2
        if at > len(file):
            return
        yield name.upper()
