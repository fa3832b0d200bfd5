"""Wait until a worker may work on its store."""

import asyncio
from collections.abc import Callable
from typing import Final

from relay.errors import StoreUnavailable
from relay.logs import log
from relay.operations.store_admission import StoreAdmission

AGAIN_SECONDS: Final = 0.5


async def wait_until_admitted(admission: StoreAdmission, stopping: Callable[[], bool]) -> None:
    """Ask again until it may, or the worker stops. While the store is away, that is logged once, as the ticker does."""
    paused = False
    while not stopping():
        try:
            if await admission.admit():
                return
            paused = False
        except StoreUnavailable as error:
            if not paused:
                log.warning("ticker.paused", reason=str(error))
            paused = True
        await asyncio.sleep(AGAIN_SECONDS)
