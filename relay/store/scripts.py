"""Call the Lua scripts: one round trip each, the request as msgpack, bodies beside it as they are."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.errors import StoreUnavailable
from relay.store.commands import run_command
from relay.store.connect import NO_MASTER, drop_connections
from relay.store.sync import Sync

GATES = ("_history", "_gates")
"""The parts that scripts share which look at gates, or change them."""

_FOLDER = files("relay.store") / "lua"


class Script:
    """One script of the folder `lua`, by name: the prelude, the `parts` that it shares with others, its own text."""

    def __init__(self, name: str, *parts: str) -> None:
        self.name = name
        text = _read(name)
        # The server reads flags from the first line only, so that line stays first.
        shebang, rest = text.split("\n", 1) if text.startswith("#!") else ("", text)
        shared = [_read(part) for part in ("_prelude", *parts)]
        self.text = "\n".join([*([shebang] if shebang else []), *shared, rest])
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


class Caller:
    """Runs scripts for one relay."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._encode = msgspec.msgpack.Encoder().encode

    async def __call__(self, script: Script, request: object, *blobs: bytes) -> Any:
        """Return the script's own answer: msgpack, or a list of it and blobs. Raises StoreUnavailable."""
        return await run_command(self._run(self._client, script, self._prefix, self._encode(request), *blobs))

    async def call_synced(self, script: Script, request: object, *blobs: bytes, sync: Sync) -> Any:
        """Do the same, and wait until what was written is where it is to be.

        Raises StoreUnavailable where it is not in time. It may be written all the same.
        """
        reply, (local, replicas) = await run_command(
            self._run_synced(script, sync, self._prefix, self._encode(request), *blobs)
        )
        if not local:
            raise StoreUnavailable(f"the store did not write it to disk within {sync.within_ms / 1000:g} s")
        if replicas < sync.replicas:
            await drop_connections(self._client.connection_pool)  # another server may be the primary by now
            raise StoreUnavailable(f"no replica wrote it to disk within {sync.within_ms / 1000:g} s")
        return reply

    async def _run_synced(self, script: Script, sync: Sync, *arguments: str | bytes) -> Any:
        """Run a script, and WAITAOF in one go with it: that counts what was written over its own connection."""
        try:
            return await self._run_and_wait(("EVALSHA", script.sha), sync, arguments)
        except NoScriptError:
            return await self._run_and_wait(("EVAL", script.text), sync, arguments)
        except NO_MASTER:
            await drop_connections(self._client.connection_pool)
            return await self._run_and_wait(("EVAL", script.text), sync, arguments)

    async def _run_and_wait(self, how: tuple[str, str], sync: Sync, arguments: Sequence[str | bytes]) -> Any:
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.execute_command(*how, 1, *arguments)
            for wait_ms in sync.waits_ms:
                pipe.waitaof(1, sync.replicas, wait_ms)
            replies = await pipe.execute(raise_on_error=False)  # else its error would show what was sent
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies[0], replies[-1]

    @staticmethod
    async def _run(client: Redis, script: Script, *arguments: str | bytes) -> Any:
        try:
            return await client.evalsha(script.sha, 1, *arguments)
        except NoScriptError:
            return await client.eval(script.text, 1, *arguments)
