"""What a running process may do with its store: nothing, until it is known that the store is its own."""

from collections.abc import Callable, Set

from relay.config.environment import ProcessSettings
from relay.errors import ConfigError
from relay.logs import log
from relay.operations.store_owner import claim_store
from relay.store.formats import check_format
from relay.store.store import Store


class StoreAdmission:
    """Whether `claim_store` has found that the store is this relay's.

    A command checks that before it starts the process; where the store was away then, the process does it here.
    """

    def __init__(self, store: Store, address: str, sources: Callable[[], Set[str]], settings: ProcessSettings) -> None:
        self._store = store
        self._address = address
        self._sources = sources
        self._take_over = settings.take_over
        self._strict = settings.durability == "strict"
        self.refusal = "it is not known yet whose store it is"
        """Why nothing may be done; "" where all may."""

    async def admit(self) -> bool:
        """Return whether the store may be worked on; the first time that it may not, log why.

        Raises StoreUnavailable.
        """
        if not self.refusal:
            return True
        before = self.refusal
        try:
            await claim_store(
                self._store, self._address, self._sources(), take_over=self._take_over, strict=self._strict
            )
        except ConfigError as error:
            self.refusal = str(error)
            if self.refusal != before:
                log.error("store.refused", reason=self.refusal)
            return False
        self.refusal = ""
        return True

    def note_format(self, stored: int) -> None:
        """Refuse the store from now on where a newer release has begun to write to it."""
        try:
            check_format(stored)
        except ConfigError as error:
            if not self.refusal:
                log.error("store.refused", reason=str(error))
            self.refusal = str(error)
