"""Call the Lua scripts: one round trip each, the request as msgpack, bodies beside it as they are."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from importlib.resources import files
from itertools import chain
from typing import Any, NamedTuple

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
_NAME = re.compile(r"\w+")
_FUNCTION = re.compile(r"local function (\w+)")
_BEGIN = re.compile(r"\n(?=(?!end\b|else)\w|--)")  # of a statement
_SHEBANG = re.compile(r"#!.*\n")
_CLOCK = "local now = time[1] * 1000 + math.floor(time[2] / 1000)\n"
_FOLDER = files("relay.store") / "lua"


class Script:
    """One script of the folder `lua`, by name: what all share, the `parts` that it shares with others, its own text.

    It is read when it is first called: a command calls two or three of them, and to make all takes a tenth of a second.
    """

    def __init__(self, name: str, *parts: str) -> None:
        self.name = name
        self._parts = ("_prelude", "_facts", "_ending", *parts)

    @cached_property
    def text(self) -> str:
        """What the server runs."""
        # The server reads flags from the first line only, so that line stays first.
        shebang = _SHEBANG.match(_read(self.name))
        statements = chain.from_iterable(map(_statements, (*self._parts, self.name)))
        needed = _within_function("\n".join(_needed(tuple(statements))))
        return f"{shebang[0]}{needed}" if shebang else needed

    @cached_property
    def sha(self) -> str:
        """The name under which the server keeps it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class _Statement(NamedTuple):
    text: str
    function: str  # whose definition it is, or ""
    names: frozenset[str]


@cache
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text()


@cache
def _statements(name: str) -> tuple[_Statement, ...]:
    """Split a file: each statement but the first begins with a line that is not indented, and ends nothing."""
    return tuple(map(_parse, _BEGIN.split(_SHEBANG.sub("", _read(name)))))


def _parse(text: str) -> _Statement:
    function = _FUNCTION.match(text)
    return _Statement(text, function[1] if function else "", frozenset(_NAME.findall(_NO_CODE.sub("", text))))


def _needed(statements: Sequence[_Statement]) -> list[str]:
    """Leave out the functions that nothing after them names: each call of a script makes all of its functions anew."""
    needed: list[str] = []
    named: set[str] = set()
    for statement in reversed(statements):
        if not statement.function or statement.function in named:
            needed.append(statement.text)
            named.update(statement.names)
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
