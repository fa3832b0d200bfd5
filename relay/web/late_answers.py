"""Remember which hooks amoCRM sends again though they are stored: their answers left too late, or not at all."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from relay.store.records import Hook, LateAnswer

MISSING_SECONDS: Final = 30.0  # a call whose answer was lost may be carried out later than the one after it
MOST_MISSING: Final = 10_000


class LateAnswers:
    """What the store is to be told with the next groups, in a web process."""

    def __init__(self) -> None:
        self._late: list[LateAnswer] = []
        self._missing: dict[LateAnswer, float] = {}  # which the store did not have yet, and until when it is asked

    def __bool__(self) -> bool:
        """Return whether there is something that should not wait for a hook."""
        return bool(self._late)

    def add(self, id: str) -> None:
        """Add a receipt whose answer left too late."""
        self._late.append(LateAnswer(id=id))

    def add_unknown(self, hooks: Iterable[Hook]) -> None:
        """Add hooks of which nobody knows whether they were stored: they go with the next hooks."""
        until = time.monotonic() + MISSING_SECONDS
        for hook in hooks:
            self._missing[LateAnswer(id=hook.id, source=hook.source, digest=hook.digest)] = until
        while len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]

    def take(self, most: int, *, with_hooks: bool) -> list[LateAnswer]:
        """Take what one call tells the store; whoever takes it says what came of it."""
        taken, self._late = self._late[:most], self._late[most:]
        return taken + list(self._missing)[: most - len(taken)] if with_hooks else taken

    def put_back(self, taken: Sequence[LateAnswer]) -> None:
        """Note that the call failed: all is told again."""
        self._late = [late for late in taken if late not in self._missing] + self._late

    def done(self, taken: Sequence[LateAnswer], missing: Sequence[str]) -> None:
        """Note that the store knows, but for what is `missing` in it: that is told again, for some time."""
        now, gone = time.monotonic(), set(missing)
        for late in taken:
            until = self._missing.pop(late, now)
            if late.id in gone and until > now:
                self._missing[late] = until  # behind the others
