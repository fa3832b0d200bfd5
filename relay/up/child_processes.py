"""The child processes of `relay up`, whether this program started them or the one that this process was before."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_PRIVATE: Final = 0o600


class Reaper:
    """Waits for child processes. They may have been started before an exec: all that is needed is their id."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def watch(self, pid: int) -> asyncio.Future[int]:
        """Return the future exit status of a child, negative for a signal."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()
        self._running[pid] = ended
        loop.call_soon(self._reap)  # it may have ended before anybody looked
        return ended

    def _reap(self) -> None:
        for pid, ended in list(self._running.items()):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # subprocess.Popen was faster
                found, status = pid, 0
            if found:
                del self._running[pid]
                ended.set_result(os.waitstatus_to_exitcode(status))


class ChildProcess:
    """A child with a process group of its own. `ready` is done when it has said so, or can no longer do so."""

    def __init__(self, name: str, pid: int, ended: asyncio.Future[int], ready: asyncio.Future[bool]) -> None:
        self.name = name
        self.pid = pid
        self.ended = ended
        self.ready = ready
        self._began = time.monotonic()

    @property
    def lived_seconds(self) -> float:
        """For how long this program has known it."""
        return time.monotonic() - self._began

    def signal(self, how: signal.Signals) -> None:
        """Send a signal to its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, how)

    async def end(self, seconds: float) -> int:
        """End it in order, or after so many seconds by force. Returns its exit status."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a stopped process receives SIGTERM only when it is continued
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), seconds)
        self.signal(signal.SIGKILL)
        return await self.ended

    async def wait_until_ready(self, seconds: float) -> bool:
        """Return whether it has become ready within so many seconds."""
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.ready), seconds)
        return False


def adopt(name: str, pid: int, reaper: Reaper) -> ChildProcess:
    """Return a child that was started by the program that this process was before."""
    ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    ready.set_result(True)
    return ChildProcess(name, pid, reaper.watch(pid), ready)


def spawn(
    name: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    pass_fds: Sequence[int],
    log: Path | None,
    reaper: Reaper,
) -> ChildProcess:
    """Start a child. It appends its output to `log`, or has ours. Raises OSError."""
    reading, writing = os.pipe()
    own = {**environ, "RELAY_READY_FD": str(writing)}
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    ]
    if log is not None:
        actions += [(os.POSIX_SPAWN_OPEN, 1, str(log), _APPEND, _PRIVATE), (os.POSIX_SPAWN_DUP2, 1, 2)]
    try:
        with _inherited(*pass_fds, writing):
            pid = os.posix_spawn(
                command[0],
                list(command),
                own,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT_SIGNALS,
            )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return ChildProcess(name, pid, reaper.watch(pid), _read_ready(reading))


_DEFAULT_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a shell's & starts us with SIGINT ignored


@contextlib.contextmanager
def _inherited(*fds: int) -> Iterator[None]:
    for fd in fds:
        os.set_inheritable(fd, True)
    try:
        yield
    finally:
        for fd in fds:
            os.set_inheritable(fd, False)


def _read_ready(pipe: int) -> asyncio.Future[bool]:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()

    def read() -> None:
        loop.remove_reader(pipe)
        ready.set_result(bool(os.read(pipe, 1)))  # nothing: it has ended
        os.close(pipe)

    loop.add_reader(pipe, read)
    return ready
