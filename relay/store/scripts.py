"""Call the Lua scripts: one round trip each, the request as msgpack, bodies beside it as they are."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from relay.errors import StoreUnavailable
from relay.store.commands import run_command
from relay.store.connections import Command, ConnectionsInTurn
from relay.store.sync import Sync

GATES = ("_history", "_gates")
"""The parts that scripts share which look at gates, or change them."""

_NO_CODE = re.compile(r"""'[^'\n]*'|"[^"\n]*"|--.*""")  # texts and comments
_CLOCK = "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
_FOLDER = files("relay.store") / "lua"


class Script:
    """One script of the folder `lua`, by name: what all share, the `parts` that it shares with others, its own text."""

    def __init__(self, name: str, *parts: str) -> None:
        self.name = name
        text = _read(name)
        # The server reads flags from the first line only, so that line stays first.
        shebang, rest = text.split("\n", 1) if text.startswith("#!") else ("", text)
        shared = [_read(part) for part in ("_prelude", "_facts", "_ending", *parts)]
        needed = _within_function("\n".join(_needed(_statements("\n".join([*shared, rest])))))
        self.text = f"{shebang}\n{needed}" if shebang else needed
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


def _statements(text: str) -> Iterator[str]:
    """Split a script: each part but the first begins with a line that is not indented, and ends nothing."""
    yield from re.split(r"\n(?=(?!end\b|else)\w|--)", text)


def _needed(statements: Iterable[str]) -> list[str]:
    """Leave out the functions that nothing after them names: each call of a script makes all of its functions anew."""
    needed: list[str] = []
    named: set[str] = set()
    for statement in reversed(list(statements)):
        function = re.match(r"local function (\w+)", statement)
        if function is None or function[1] in named:
            needed.append(statement)
            named.update(re.findall(r"\w+", _NO_CODE.sub("", statement)))
    return needed[::-1]


def _within_function(text: str) -> str:
    """Put all but what a script begins with, and every function of it names, into a function of its own.

    There Lua finds these names at once for each function that is made; at the top it looks through all that are named.
    """
    begin, clock, rest = text.partition(_CLOCK)
    assert clock, "the prelude reads the clock"
    return f"{begin}{clock}return (function()\n{rest}\nend)()"


class Caller:
    """Runs scripts for one relay, over a client that `connect` returned."""

    def __init__(self, client: Redis, prefix: str) -> None:
        assert isinstance(client.connection_pool, ConnectionsInTurn)
        self._connections = client.connection_pool
        self._prefix = prefix
        self._encode = msgspec.msgpack.Encoder().encode

    async def __call__(self, script: Script, request: object, *blobs: bytes) -> Any:
        """Return the script's own answer: msgpack, or a list of it and blobs. Raises StoreUnavailable."""
        (reply,) = await run_command(self._run(script, request, blobs))
        return reply

    async def call_synced(self, script: Script, request: object, *blobs: bytes, sync: Sync) -> Any:
        """Do the same, and wait until what was written is where it is to be.

        Raises StoreUnavailable where it is not in time. It may be written all the same.
        """
        # In one go with it: WAITAOF counts what was written over its own connection.
        waits = [("WAITAOF", 1, sync.replicas, wait_ms) for wait_ms in sync.waits_ms]
        reply, *_, (local, replicas) = await run_command(self._run(script, request, blobs, waits))
        if not local:
            raise StoreUnavailable(f"the store did not write it to disk within {sync.within_ms / 1000:g} s")
        if replicas < sync.replicas:
            await self._connections.drop()  # another server may be the primary by now
            raise StoreUnavailable(f"no replica wrote it to disk within {sync.within_ms / 1000:g} s")
        return reply

    async def _run(
        self, script: Script, request: object, blobs: Sequence[bytes], then: Iterable[Command] = ()
    ) -> list[Any]:
        """Run a script, and further commands behind it; return all replies."""
        arguments: Command = (1, self._prefix, self._encode(request), *blobs)
        try:
            return await self._connections.exchange([("EVALSHA", script.sha, *arguments), *then])
        except NoScriptError:
            return await self._connections.exchange([("EVAL", script.text, *arguments), *then])
