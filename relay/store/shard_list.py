"""The list of shards, and whose each source is: a record in the first shard, and in every shard what of it is its own.

A shard is a whole store under a hash tag of its own: `{relay}:` is the first, "00", and `{relay:01}:` the next. The
record decides, and each change of it has a higher epoch. A shard that owns nothing of a source stores no hook of it, so
processes that know an older record write to no two shards: what is older changes no shard's list of its own.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from relay.model import Record
from relay.store.commands import run_command
from relay.store.fields import ShardsField
from relay.store.keys import Keys
from relay.store.scripts import Caller, Script

FIRST: Final = "00"
SHARD_NAME: Final = re.compile(r"\d\d", re.ASCII)
_ADD, _ASSIGN, _OWN = Script("add_shard"), Script("assign_source"), Script("own_source")
_ASSIGN_HOMES = Script("assign_homes")
_INT, _BOOL = msgspec.msgpack.Decoder(int), msgspec.msgpack.Decoder(bool)
_ASSIGNED = msgspec.msgpack.Decoder(tuple[str, bool])


def shard_namespace(namespace: str, shard: str) -> str:
    """Return what stands in the hash tag of a shard."""
    return namespace if shard == FIRST else f"{namespace}:{shard}"


def choose_shard(name: str, shards: Iterable[str]) -> str:
    """Return the shard for a name, by rendezvous: one more shard takes its part of the names, and moves no other."""
    return max(shards, key=lambda shard: hashlib.sha256(f"{shard}|{name}".encode()).digest())


class Assignment(Record):
    """Whose a source is. `moving`: to which shard it is on its way, its hooks are refused meanwhile; "": to none."""

    shard: str
    epoch: int
    moving: str = ""

    @classmethod
    def parse(cls, text: str) -> "Assignment":
        """Read what the scripts write."""
        shard, epoch, moving = text.split("|")
        return cls(shard=shard, epoch=int(epoch), moving=moving)

    def __str__(self) -> str:
        return f"{self.shard}|{self.epoch}|{self.moving}"


class ShardList(Record):
    """What the record says. Without one there is the first shard, and all is its own: then `epoch` is 0."""

    epoch: int = 0
    names: tuple[str, ...] = (FIRST,)
    sources: Mapping[str, Assignment] = {}
    homes: Mapping[str, str] = {}  # of sinks of the file

    @property
    def several(self) -> bool:
        """Whether there is more than one shard."""
        return len(self.names) > 1

    def shard_of(self, source: str) -> str:
        """Return whose a source is; the first shard's, which refuses it, where that is not written yet."""
        assigned = self.sources.get(source)
        return FIRST if assigned is None else assigned.shard

    def home_of(self, sink: str) -> str | None:
        """Return the home of a sink of the file: where its gate and its limits are; None where none is written yet."""
        return self.homes.get(sink) if self.epoch else FIRST

    def owned_by(self, shard: str, sources: Iterable[str]) -> list[str]:
        """Return which of these sources are a shard's, and not on their way to another."""
        if not self.epoch:
            return list(sources)
        found = {name: self.sources.get(name) for name in sources}
        return [name for name, one in found.items() if one is not None and one.shard == shard and not one.moving]


class ShardRecord:
    """The record in the first shard. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str = "relay") -> None:
        self._client = client
        self._key = Keys(namespace).shards
        self._call = Caller(client, Keys(namespace).prefix)

    async def read(self) -> ShardList:
        """Read all of it."""
        found = await run_command(self._client.hgetall(self._key))
        fields = {name.decode(): value.decode() for name, value in found.items()}
        if not fields:
            return ShardList()
        names = [name.removeprefix(ShardsField.SHARD) for name in fields if name.startswith(ShardsField.SHARD)]
        sources = {
            name.removeprefix(ShardsField.SOURCE): Assignment.parse(value)
            for name, value in fields.items()
            if name.startswith(ShardsField.SOURCE)
        }
        homes = {
            name.removeprefix(ShardsField.HOME): shard
            for name, shard in fields.items()
            if name.startswith(ShardsField.HOME)
        }
        return ShardList(epoch=int(fields[ShardsField.EPOCH]), names=tuple(sorted(names)), sources=sources, homes=homes)

    async def add(self, shard: str) -> int:
        """Add a shard, unless it is there. Returns the epoch."""
        return _INT.decode(await self._call(_ADD, {"shard": shard}))

    async def assign_homes(self, groups: Iterable[Sequence[str]], shards: Iterable[str]) -> int:
        """Write the homes of sinks that have none; a home never changes. Returns the epoch.

        Those of a group share a limit, so they have one home: that of any of them, or one of `shards`.
        """
        rows = [(choose_shard(min(sinks), shards), sinks) for sinks in groups]
        return _INT.decode(await self._call(_ASSIGN_HOMES, {"groups": rows}))

    async def assign(self, source: str, before: Assignment | None, shard: str, moving: str = "") -> Assignment | None:
        """Write whose a source is, where that still is what it was before. Returns what stands there now."""
        return (await self._write(source, before, shard, moving))[0]

    async def change(self, source: str, before: Assignment, shard: str, moving: str = "") -> Assignment | None:
        """Write it likewise. Returns what was written; None where somebody else wrote meanwhile."""
        found, is_written = await self._write(source, before, shard, moving)
        return found if is_written else None

    async def _write(
        self, source: str, before: Assignment | None, shard: str, moving: str
    ) -> tuple[Assignment | None, bool]:
        was = "" if before is None else str(before)
        request = {"source": source, "before": was, "shard": shard, "moving": moving}
        found, is_written = _ASSIGNED.decode(await self._call(_ASSIGN, request))
        return Assignment.parse(found) if found else None, is_written


class Ownership:
    """What of the record is one shard's own. Every method raises StoreUnavailable."""

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client = client
        self._keys = Keys(namespace)
        self._call = Caller(client, self._keys.prefix)

    async def begin(self) -> None:
        """Make the list of what the shard owns, empty, unless there is one: from now on it takes nothing else."""
        await self._call(_OWN, {"source": "", "epoch": 0, "state": "owned"})

    async def own(self, source: str, epoch: int) -> bool:
        """Write that the shard owns a source. False: something newer is known here."""
        return _BOOL.decode(await self._call(_OWN, {"source": source, "epoch": epoch, "state": "owned"}))

    async def close(self, source: str, epoch: int) -> bool:
        """Write that the shard takes nothing of a source any more. False: something newer is known here."""
        return _BOOL.decode(await self._call(_OWN, {"source": source, "epoch": epoch, "state": "closed"}))

    async def read(self) -> set[str] | None:
        """Read which sources it owns; None where it has no list, as the only shard has none."""
        found = await run_command(self._client.get(self._keys.owned))
        return None if found is None else set(found.decode().split())
