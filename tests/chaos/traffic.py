"""Hooks that are sent until they are acknowledged, whatever happens meanwhile."""

import http.client
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from relay.processes.supervisor import Processes
from tests.e2e.harness import HookSender, lead_hook

SENDERS = 8
AGAIN_SECONDS = 0.25  # until a hook that was not acknowledged is sent again: amoCRM takes minutes
PATIENCE_SECONDS = 600.0


def is_texted(lead: int) -> bool:
    """Whether a lead is dear enough for a text, too."""
    return lead % 5 == 3


class Senders:
    """Several connections that post hooks of these leads until every one is acknowledged."""

    def __init__(self, processes: Processes, leads: Sequence[int]) -> None:
        self._processes = processes
        self._threads = [threading.Thread(target=self._send, args=(leads[n::SENDERS],)) for n in range(SENDERS)]
        self.acknowledged: set[int] = set()
        self.failures: list[BaseException] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.failures == []

    def _send(self, leads: Sequence[int]) -> None:
        sender = HookSender(self._processes)
        try:
            for lead in leads:
                self._post_until_taken(sender, lead_hook(lead, price="1500" if is_texted(lead) else "500"))
                self.acknowledged.add(lead)
        except BaseException as error:
            self.failures.append(error)
            raise
        finally:
            sender.close()

    @staticmethod
    def _post_until_taken(sender: HookSender, body: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(OSError, http.client.HTTPException):
                if sender.post(body)[0] == 202:
                    return
            assert time.monotonic() < deadline, f"no 202 within {PATIENCE_SECONDS:.0f} s"
            time.sleep(AGAIN_SECONDS)
