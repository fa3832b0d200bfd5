"""How many names may be looked up at a time for a source and for a sink, so that nobody takes all there is."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final
from weakref import WeakValueDictionary

from relay.model import Record

PER_SOURCE: Final = 8
PER_SINK: Final = 2
WAIT_S: Final = 2.0  # for a turn; leases have room for this


class Asker(Record):
    """On whose behalf a name is looked up. "": no bound of that kind."""

    source: str = ""
    sink: str = ""


class NoTurn(Exception):
    """A name was not looked up yet, because too many others are being looked up on the same behalf."""


class LookupBounds:
    """Gives turns to look up names, in the order in which they were asked for."""

    def __init__(self) -> None:
        # A bound lives as long as somebody holds a turn of it or waits for one.
        self._bounds: WeakValueDictionary[tuple[str, str], asyncio.BoundedSemaphore] = WeakValueDictionary()

    async def take(self, asker: Asker) -> Callable[[], None]:
        """Return what gives a turn back, once there is one. Raises NoTurn where there is none in time."""
        with ExitStack() as taken:
            for kind, name, count in (("sink", asker.sink, PER_SINK), ("source", asker.source, PER_SOURCE)):
                if name:
                    bound = self._bounds.setdefault((kind, name), asyncio.BoundedSemaphore(count))
                    try:
                        async with asyncio.timeout(WAIT_S):
                            await bound.acquire()
                    except TimeoutError:
                        reason = f"{count} other host names of the {kind} {name} are still being looked up"
                        raise NoTurn(reason) from None
                    taken.callback(bound.release)
            return taken.pop_all().close
