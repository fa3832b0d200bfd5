"""Start and watch the processes of `relay dev`, `relay demo` and the tests: real ones, ready when they answer.

No process is left behind: the supervisor ends them in order, or the orphan guard does when the supervisor was killed.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from relay.embedded.broker import make_broker
from relay.embedded.memory import store_memory
from relay.embedded.server import EmbeddedStore
from relay.errors import RelayError
from relay.processes.child import Child
from relay.processes.folder import LockedFolder
from relay.processes.orphan_guard import OrphanGuard
from relay.processes.ports import free_port, http_get, is_free
from relay.processes.running import NO_PROXY, SANDBOX, SANDBOX_PORT, SANDBOX_SMTP_PORT, SANDBOX_URL

READY_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 25.0  # a worker waits for what is in flight
_POLL_SECONDS: Final = 0.03
_STORE, _BROKER, _SANDBOX, _WEB, _WORKER = "store", "broker", "sandbox", "web", "worker"
_BROKER_URL: Final = "CELERY_BROKER_URL"
_ADDRESS_VARIABLES: Final = ("PORT", "REDIS_URL", _BROKER_URL, *SANDBOX, "RELAY_CONFIG", "RELAY_NAMESPACE", NO_PROXY)
_STOP_ORDER: Final = ((_WEB, _WORKER), (_SANDBOX,))  # what takes hooks first, what the others need last


class Processes:
    """The processes of one relay in one folder: `store`, `broker`, `sandbox`, `web`, `worker`, and more as `worker:2`.

    `environ` is their environment; REDIS_URL in it replaces the embedded store and its broker, CELERY_BROKER_URL the
    broker alone, PORT, RELAY_SANDBOX_PORT and RELAY_SANDBOX_SMTP_PORT replace free ports. Use it in a `with` block, at
    whose end they are stopped. Their logs are in `folder`/logs; with `show` every line goes there too. Raises
    RelayError where one does not start, with the end of its log.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], show: Callable[[str, str], None] | None = None
    ) -> None:
        self.folder = folder.resolve()
        self._show = show
        self._children: dict[str, Child] = {}
        self._server_pids: dict[str, int] = {}
        self.store = None if environ.get("REDIS_URL") else _own_store(self.folder / "store")
        self.broker = None if self.store is None or environ.get(_BROKER_URL) else make_broker(self.folder)
        self.port = _port(environ, "PORT")
        self.sandbox_port = _port(environ, SANDBOX_PORT)
        self.smtp_port = _port(environ, SANDBOX_SMTP_PORT)
        addresses = {SANDBOX_URL: self.sandbox_url, "PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        addresses |= {SANDBOX_PORT: str(self.sandbox_port), SANDBOX_SMTP_PORT: str(self.smtp_port)}
        addresses[NO_PROXY] = _without_proxy(environ, self.sandbox_port)
        if self.store is not None:
            addresses["REDIS_URL"] = self.store.url
        if self.broker is not None:
            addresses[_BROKER_URL] = self.broker.url
        # Whoever wants the other machines of the network to reach it says so.
        self.environ: Mapping[str, str] = {"RELAY_HOST": "127.0.0.1", **environ, **addresses}

    @property
    def url(self) -> str:
        """The address of the web process."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def fakes(self) -> frozenset[str]:
        """The hosts and ports of the fakes."""
        return frozenset({f"127.0.0.1:{self.sandbox_port}", f"127.0.0.1:{self.smtp_port}"})

    @property
    def sandbox_url(self) -> str:
        """The address of the fakes."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    def __enter__(self) -> Self:
        """Lock the folder for this relay. Starts no process."""
        self._locked_folder = LockedFolder(self.folder)
        self._guard = OrphanGuard()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Stop all processes, in order."""
        try:
            self.end()
        finally:
            self._guard.close()  # it ends what is left, where stopping was interrupted
            self._locked_folder.release()

    def start(self, *names: str) -> None:
        """Start processes, by default one of each kind, and wait until each is ready."""
        kinds = names or (_STORE, _BROKER, _SANDBOX, _WEB, _WORKER)
        self._start_servers([name for name in kinds if name in (_STORE, _BROKER)])
        children = [self._spawn(name) for name in kinds if name not in (_STORE, _BROKER)]
        for child in children:
            self._wait_until_ready(child)
        self._locked_folder.write_environ(
            {name: self.environ[name] for name in _ADDRESS_VARIABLES if name in self.environ}
        )

    def stop(self, name: str) -> None:
        """Stop a process in order."""
        if name in (_STORE, _BROKER):
            self._end_server(name, EmbeddedStore.stop)
            return
        self._children[name].terminate()
        self._remove(name, lambda child: child.wait(GRACE_SECONDS))

    def kill(self, name: str) -> None:
        """Kill a process, as a power cut would."""
        if name in (_STORE, _BROKER):
            self._end_server(name, EmbeddedStore.kill)
            return
        self._remove(name, Child.kill)

    def restart(self, name: str) -> None:
        """Stop a process in order and start it again, at the same address."""
        self.stop(name)
        self.start(name)

    def pid(self, name: str) -> int:
        """Return a process's id."""
        return self._server_pids.get(name) or self._children[name].pid

    def log(self, name: str) -> str:
        """Return the output of a process since it was started."""
        return self._children[name].output()

    def check(self) -> None:
        """Raise RelayError, with the end of its log, where a process has ended by itself."""
        for child in self._children.values():
            if child.status is not None:
                raise RelayError(_exit_message(child))
        if self.store is not None and _STORE in self._server_pids and not self.store.running:
            raise RelayError(f"the store has ended by itself; its log is {self.store.log}")

    def end(self) -> None:
        """Stop all that run, in order."""
        for kinds in _STOP_ORDER:
            stopping = [name for name in self._children if _kind(name) in kinds]
            for name in stopping:
                self._children[name].terminate()
            for name in stopping:
                self._remove(name, lambda child: child.wait(GRACE_SECONDS))
        for name in (_BROKER, _STORE):
            self.stop(name)

    def _spawn(self, name: str) -> Child:
        if name in self._children:
            raise RelayError(f"{name} is running already")
        own = () if self.store is None else ("--take-over",)  # the folder's store: names in the file may change at will
        commands: Mapping[str, Sequence[str]] = {
            _SANDBOX: ("-m", "relay.sandbox", str(self.sandbox_port), str(self.smtp_port)),
            _WEB: ("-m", "relay", "web", *own),
            _WORKER: ("-m", "relay", "worker", *own),
        }
        log = self.folder / "logs" / f"{name.replace(':', '-')}.log"
        command = [sys.executable, *commands[_kind(name)]]
        child = Child(name, command, self.environ, log, self._line_handler(name))
        self._guard.watch(child.pid)
        self._children[name] = child
        return child

    def _line_handler(self, name: str) -> Callable[[str], None] | None:
        show = self._show
        return None if show is None else lambda line: show(name, line)

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready(child):
            if child.status is not None:
                raise RelayError(_exit_message(child))
            if time.monotonic() > deadline:
                raise RelayError(f"{child.name} is not ready after {READY_SECONDS:.0f} s; {_log_tail(child)}")
            time.sleep(_POLL_SECONDS)

    def _ready(self, child: Child) -> bool:
        match _kind(child.name):
            case "web":
                answer = http_get(self.port, "/readyz")
            case "sandbox":
                answer = http_get(self.sandbox_port, "/__sandbox__/requests?limit=0")
            case _:
                return "worker.started" in child.output()
        return answer is not None and answer[0] == 200

    def _remove(self, name: str, end: Callable[[Child], int]) -> None:
        child = self._children[name]
        end(child)
        self._guard.forget(child.pid)
        del self._children[name]

    def _start_servers(self, names: Sequence[str]) -> None:
        servers = {name: server for name in names if (server := self._server(name)) is not None}
        for name, server in servers.items():
            server.spawn()
            self._server_pids[name] = server.pid
            self._guard.watch(server.pid)
        for server in servers.values():
            server.wait_until_ready()

    def _end_server(self, name: str, end: Callable[[EmbeddedStore], None]) -> None:
        server = self._server(name)
        if server is None or name not in self._server_pids:
            return
        end(server)
        self._guard.forget(self._server_pids.pop(name))

    def _server(self, name: str) -> EmbeddedStore | None:
        return self.store if name == _STORE else self.broker


def _kind(name: str) -> str:
    return name.partition(":")[0]


def _without_proxy(environ: Mapping[str, str], sandbox_port: int) -> str:
    """Return what NO_PROXY says, and the fakes: no proxy has a way to them."""
    own = environ.get(NO_PROXY) or environ.get("NO_PROXY") or ""
    return ",".join([*filter(None, [own]), f"127.0.0.1:{sandbox_port}"])


def _own_store(folder: Path) -> EmbeddedStore:
    return EmbeddedStore(folder, "--maxmemory", str(store_memory()))


def _port(environ: Mapping[str, str], name: str) -> int:
    if not environ.get(name):
        return free_port()
    port = int(environ[name])
    if not is_free(port):
        raise RelayError(f"{name}={port}: something listens there already")
    return port


def _exit_message(child: Child) -> str:
    status = child.status
    how = f"by signal {-status}" if status is not None and status < 0 else f"with exit status {status}"
    return f"{child.name} ended {how}; {_log_tail(child)}"


def _log_tail(child: Child) -> str:
    return f"its log {child.log} ends:\n{child.output_tail()}"
