"""Dialogues with a mail server that go on with the next message: a burst logs in once for each of its connections."""

import asyncio
from typing import Final

from relay.sinks.email.connection import NotSmtp
from relay.sinks.email.dialogue import Dialogue

IDLE_SECONDS: Final = 5.0  # mail servers allow few connections: one that no message follows over is given up
MOST_MESSAGES: Final = 100  # over one connection: many servers close it after about so many
_ANSWER_SECONDS: Final = 2.0  # for one that waited to say that it is there


class ReusableDialogues:
    """The dialogues of one sink in one process that wait for a message: as many as it was sending at once, at most."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Dialogue, asyncio.TimerHandle]] = []

    async def take(self, deadline: float) -> Dialogue | None:
        """Return one over which a message may go; None where there is none.

        It is asked first, by RSET: servers close what waits, and nothing of the next message may meet that. Of the time
        until the deadline half is left, at least, to open another one.
        """
        while self._waiting:
            dialogue, timer = self._waiting.pop()
            timer.cancel()
            try:
                half = (deadline - asyncio.get_running_loop().time()) / 2
                async with asyncio.timeout(min(half, _ANSWER_SECONDS)):
                    if await dialogue.reset():
                        return dialogue
                dialogue.quit()
            except (OSError, NotSmtp):  # TimeoutError among them
                dialogue.abort()
            except BaseException:
                dialogue.abort()
                raise
        return None

    def add(self, dialogue: Dialogue) -> None:
        """Let the next message go over it, where one comes soon."""
        if dialogue.messages >= MOST_MESSAGES:
            dialogue.quit()
            return
        waiting = dialogue, asyncio.get_running_loop().call_later(IDLE_SECONDS, self._give_up, dialogue)
        self._waiting.append(waiting)

    def _give_up(self, dialogue: Dialogue) -> None:
        self._waiting = [one for one in self._waiting if one[0] is not dialogue]
        dialogue.quit()
