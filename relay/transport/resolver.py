"""Resolving host names to addresses: one cache of answers for the calls of a process.

An answer is kept for as long as its records say. That there is none is kept for seconds. While the name servers are
away, the last answer goes on to serve. Who asks for a name first waits for a turn, which is our own queue; what follows
is the name's own time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

import msgspec

from relay.logs import log
from relay.model import Record
from relay.transport.lookup_bounds import Asker, LookupBounds, NoTurn
from relay.transport.name_servers import NameServers, NoSuchName

NAME_S = 4.5  # a name without an answer in this time has none; it is a part of the time to connect
SHORTEST_S, LONGEST_S = 1.0, 3600.0  # for how long an answer is kept, whatever its records say
NO_ANSWER_S = 5.0  # for how long it is known that there is none
STALE_S = 24 * 3600.0  # for how long the last answer serves in place of a new one (RFC 8767: one to three days)
STALE_AFTER_S = 0.5  # so long who has an old answer waits for a new one
_MOST_ANSWERS: Final = 10_000

Lookup: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a name that is being looked up, the best first. Raises OSError. Need not be called."""


class Resolver(Protocol):
    """Resolves names to addresses."""

    async def look_up(self, host: str, asker: Asker, /) -> Lookup:
        """Begin to look up a name, when it is the asker's turn. Raises NoTurn."""

    async def close(self) -> None:
        """End running look-ups."""


class _Answer(Record):
    """What is known of a name: its addresses, or why there are none. Times are the loop's."""

    addresses: Sequence[str] = ()
    problem: str = ""
    until: float
    stale_until: float = 0.0

    def read(self) -> Sequence[str]:
        """Return the addresses. Raises OSError."""
        if not self.addresses:
            raise OSError(self.problem)
        return self.addresses


class CachingResolver:
    """Asks name servers and keeps their answers. Who wants a name that is being asked for shares the question."""

    def __init__(self, servers: NameServers | None = None) -> None:
        self._servers = servers or NameServers()
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, _Answer] = {}  # the last one is the one that was learned last
        self._running: dict[str, asyncio.Task[_Answer]] = {}
        self._bounds = LookupBounds()

    async def look_up(self, host: str, asker: Asker) -> Lookup:
        """Begin to look up a name, when it is the asker's turn. Raises NoTurn."""
        stale = None
        if not self._known(host):
            stale = self._stale(host)
            try:
                await self._begin(host, asker)
            except NoTurn:
                if stale is None and not self._known(host):
                    raise
        return partial(self._addresses, host, stale)

    async def close(self) -> None:
        """End running look-ups."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._servers.close()

    def _known(self, host: str) -> bool:
        """Return whether there is an answer, or one is on its way."""
        known = self._answers.get(host)
        return host in self._running or (known is not None and known.until > self._loop.time())

    def _stale(self, host: str) -> _Answer | None:
        """Return an old answer that may still serve."""
        known = self._answers.get(host)
        return known if known is not None and known.stale_until > self._loop.time() else None

    async def _begin(self, host: str, asker: Asker) -> None:
        give_back = await self._bounds.take(asker)
        if self._known(host):  # meanwhile, through another asker
            give_back()
            return
        task = self._running[host] = self._loop.create_task(self._ask(host))

        def end(_: object) -> None:
            give_back()
            del self._running[host]

        task.add_done_callback(end)

    async def _addresses(self, host: str, stale: _Answer | None) -> Sequence[str]:
        task = self._running.get(host)
        if task is None:
            return self._answers[host].read()
        if stale is not None:
            await asyncio.wait([task], timeout=STALE_AFTER_S)
            return (task.result() if task.done() else stale).read()
        return (await asyncio.shield(task)).read()  # a caller that is cancelled does not cancel it for the others

    async def _ask(self, host: str) -> _Answer:
        """Ask, and keep what is learned."""
        try:
            async with asyncio.timeout(NAME_S):
                found = await self._servers.ask(host)
        except NoSuchName as error:
            answer = _Answer(problem=str(error), until=self._loop.time() + NO_ANSWER_S)
        except TimeoutError:
            answer = self._unanswered(host, "no name server answered in time")
        except OSError as error:
            answer = self._unanswered(host, str(error))
        else:
            until = self._loop.time() + min(max(found.seconds, SHORTEST_S), LONGEST_S)
            answer = _Answer(addresses=found.addresses, until=until, stale_until=until + STALE_S)
        self._answers.pop(host, None)
        self._answers[host] = answer
        if len(self._answers) > _MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        return answer

    def _unanswered(self, host: str, problem: str) -> _Answer:
        """Return the answer before, where there is one, to serve until they are asked again."""
        until, before = self._loop.time() + NO_ANSWER_S, self._stale(host)
        if before is None:
            return _Answer(problem=problem, until=until)
        log.warning("name.stale", host=host, addresses=list(before.addresses), reason=problem)
        return msgspec.structs.replace(before, until=until)
