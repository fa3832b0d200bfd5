"""Call the Lua scripts: one round trip each, the request as msgpack, bodies beside it as they are."""

import hashlib
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.errors import StoreUnavailable
from relay.store.commands import run_command

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

    async def call_synced(self, script: Script, request: object, *blobs: bytes, within_ms: int) -> Any:
        """Do the same, and wait until what was written is on disk. Raises StoreUnavailable where it is not in time."""
        async with self._client.client() as connection:  # WAITAOF is about the writes of its own connection
            reply = await run_command(self._run(connection, script, self._prefix, self._encode(request), *blobs))
            synced, _ = await run_command(connection.waitaof(1, 0, within_ms))
        if not synced:
            raise StoreUnavailable(f"the store did not write it to disk within {within_ms / 1000:g} s")
        return reply

    @staticmethod
    async def _run(client: Redis, script: Script, *arguments: str | bytes) -> Any:
        try:
            return await client.evalsha(script.sha, 1, *arguments)
        except NoScriptError:
            return await client.eval(script.text, 1, *arguments)
