"""What a connection for another protocol than HTTP has, so that the session closes it where nobody else did."""

import asyncio
from abc import ABC, abstractmethod


class OpenedConnection(asyncio.Protocol, ABC):
    """A connection that `Session.open` opened. `lost` is done when it is closed: `connection_lost` sets it."""

    def __init__(self) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @abstractmethod
    def abort(self) -> None:
        """Close it at once."""

    def connection_lost(self, _: Exception | None) -> None:
        """Say that it is closed."""
        if not self.lost.done():
            self.lost.set_result(None)
