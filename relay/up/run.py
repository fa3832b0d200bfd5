"""Run production on one server until SIGTERM; on SIGHUP go on as the program that is installed by then."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from relay import __version__
from relay.errors import RelayError
from relay.logs import log
from relay.processes.folder import LockedFolder
from relay.up.formation import Formation, UpOptions
from relay.up.handover import SIGNALS, Handover
from relay.up.state import UpState, write_state

_CHECK: Final = (sys.executable, "-m", "relay", "check", "--strict")
_TICK_SECONDS: Final = 1.0  # between two looks at the sizes of the logs
T = TypeVar("T")


class UpRun:
    """One run of this program. `before_work` is done as soon as the store answers; it may raise RelayError."""

    def __init__(
        self,
        options: UpOptions,
        folder: LockedFolder,
        listening: socket.socket,
        before_work: Callable[[], Awaitable[None]],
        handover: Handover | None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._listening = listening
        self._before_work = before_work
        self._handover = handover
        self._start = uuid.uuid4().hex if handover is None else handover.start
        self._reloads = 0 if handover is None else handover.reloads
        self._stop, self._reload = asyncio.Event(), asyncio.Event()

    async def run(self) -> Handover | None:
        """Run until all has ended in order, or until the next program is to go on with what is returned.

        Raises RelayError and OSError where it cannot start; then nothing is left running.
        """
        self._receive_signals()
        formation = Formation(self._options, self._folder.fileno(), self._listening)
        handover = None
        try:
            handover = await self._run(formation)
        except _Stopped:
            log.info("up.stopping")
        finally:
            if handover is None:
                await formation.end()
        if handover is None:
            log.info("up.stopped")
        return handover

    def _receive_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the program before this one has blocked them

    async def _run(self, formation: Formation) -> Handover:
        await self._unless_stopped(formation.start(self._before_work, self._handover))
        problem = await self._unless_stopped(self._replace_or_wait(formation))
        log.info("up.ready", version=__version__, **formation.facts())
        while True:
            self._write_state(problem)
            await self._unless_stopped(self._watch(formation))
            log.info("up.reloading")
            problem = await self._unless_stopped(_problem_of_next_program())
            self._reloads += 1
            if problem is None:
                signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                return await formation.hand_over(self._start, self._reloads)
            log.error("up.reload_refused", reason=problem)

    async def _replace_or_wait(self, formation: Formation) -> str | None:
        """Wait until all are ready. Replace what was handed over, and return what stood in the way."""
        if self._handover is None:
            await formation.wait_until_ready()
            return None
        try:
            await formation.replace_all()
        except (RelayError, OSError) as error:
            log.error("up.reload_refused", reason=str(error))
            return str(error)
        return None

    async def _watch(self, formation: Formation) -> None:
        """Keep the logs short until a reload is asked for."""
        while not self._reload.is_set():
            try:
                await asyncio.wait_for(self._reload.wait(), _TICK_SECONDS)
            except TimeoutError:
                formation.check()
                await asyncio.to_thread(self._options.logs.rotate)
        self._reload.clear()

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something. Raises _Stopped when a signal comes first."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not self._stop.is_set():
            return working.result()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        raise _Stopped

    def _write_state(self, problem: str | None) -> None:
        state = UpState(pid=os.getpid(), start=self._start, version=__version__, reloads=self._reloads, problem=problem)
        write_state(self._folder.path, state)


class _Stopped(Exception):
    """A signal asked for the end."""


async def _problem_of_next_program() -> str | None:
    """Have the program that is installed now check its configuration; return why it would not start."""
    checked = await asyncio.to_thread(subprocess.run, _CHECK, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if checked.returncode == 0:
        return None
    return (checked.stderr or checked.stdout).strip() or f"`relay check --strict` ended with {checked.returncode}"
