"""Run `relay up` in a folder as a person or a service manager does, and load it with hooks."""

import http.client
import itertools
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from relay.config.environment import environ
from relay.embedded.server import EmbeddedStore
from relay.processes.folder import UP_FOLDER
from relay.processes.ports import free_port, http_get
from relay.store.keys import Keys
from relay.up.state import UpState, read_state
from tests.e2e.harness import FORM, lead_hook, until

TOKEN = "0123456789abcdef"
CONFIG = f"""
sources:
  acme: {{type: amocrm, token: {TOKEN}}}
sinks:
  out: {{type: log}}
routes:
  - {{name: all, on: add_lead, to: out, body: {{lead: "{{{{ lead.id }}}}"}}}}
"""
SENDERS = 5
PAUSE_SECONDS = 0.05  # of a sender between two hooks: a hundred a second in all


class Up:
    """`relay up` in a folder of its own, with its own port."""

    def __init__(self, folder: Path, listening: socket.socket | None = None, **variables: str) -> None:
        """`listening`: a socket that is handed to it as systemd does."""
        if not (folder / "config").exists():
            (folder / "config").mkdir()
            (folder / "config" / "relay.yaml").write_text(CONFIG)
        self.folder = folder
        self.listening = listening
        self.port = free_port() if listening is None else listening.getsockname()[1]
        inherited = {name: value for name, value in environ().items() if not name.startswith("RELAY_")}
        inherited.pop("REDIS_URL", None)
        own = {"PORT": str(self.port), "RELAY_HOST": "127.0.0.1", "PYTHONPATH": str(Path.cwd())}
        self.environ = {**inherited, **own, **variables}
        self.output = folder / "output"

    def start(self, *options: str) -> None:
        """Start it, and wait until web and workers are ready."""
        with self.output.open("ab") as output:
            command = [*_RELAY, "up", *options]
            if self.listening is not None:
                handed = f"exec 3<&{self.listening.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec {shlex.join(command)}"
                command = ["bash", "-c", handed]
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=() if self.listening is None else (self.listening.fileno(),),
            )
        until(lambda: self.is_ready() or self.process.poll() is not None, what="relay up to be ready")
        assert self.process.poll() is None, self.output.read_text()

    def is_ready(self) -> bool:
        state = read_state(self.folder / UP_FOLDER)
        return state is not None and state.pid == self.process.pid

    @property
    def state(self) -> UpState:
        state = read_state(self.folder / UP_FOLDER)
        assert state is not None
        return state

    @property
    def log(self) -> str:
        """What `relay up` itself has logged."""
        return (self.folder / UP_FOLDER / "logs" / "up.log").read_text()

    def run(self, *arguments: str, status: int = 0, variables: Mapping[str, str] | None = None) -> str:
        """Run another command in the folder; return what it printed."""
        return run_command(self.folder, {**self.environ, **(variables or {})}, *arguments, status=status)

    def end(self) -> None:
        """End it in order."""
        self.process.terminate()
        assert self.process.wait(60) == 0, self.output.read_text()

    def children(self, what: str) -> Sequence[int]:
        """Return the children whose command line has this in it."""
        return children(self.process.pid, what)

    def receipts(self) -> set[str]:
        """Return the ids of all receipts, of the store that runs."""
        return receipts_of(EmbeddedStore(self.folder / UP_FOLDER / "store"))


_RELAY = (sys.executable, "-m", "relay")


def run_command(folder: Path, variables: Mapping[str, str], *arguments: str, status: int = 0) -> str:
    """Run a command of the relay in a folder; return what it printed."""
    done = subprocess.run([*_RELAY, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def running_up(folder: Path, **variables: str) -> Iterator[Up]:
    up = Up(folder, **variables)
    up.start()
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end()


def receipts_of(store: EmbeddedStore) -> set[str]:
    """Return the ids of all receipts."""
    with redis.Redis(unix_socket_path=str(store.socket)) as client:
        return {id.decode() for id in client.zrange(Keys().receipts, 0, -1)}


def children(parent: int, what: str) -> list[int]:
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if what in line]


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and waits for its parent does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


class Load:
    """Posts a hundred hooks a second, each over a connection of its own, and counts how they ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._leads = itertools.count(1)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        self.ends: Counter[str] = Counter()
        self.acknowledged: set[str] = set()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_for(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, hooks: int) -> None:
        """Wait until so many more are acknowledged."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + hooks, what=f"{hooks} hooks to be taken; {self.ends}")

    def _send(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            with self._lock:
                lead = next(self._leads)
            end, receipt = post_hook(self._port, lead)
            with self._lock:
                self.ends[end] += 1
                if receipt:
                    self.acknowledged.add(receipt)


def post_hook(port: int, lead: int, path: str = f"/hooks/acme/{TOKEN}") -> tuple[str, str]:
    """Post a hook over a connection of its own; return how that ended, and the receipt's id."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, lead_hook(lead), FORM)
        answer = connection.getresponse()
        body = answer.read()
    except ConnectionRefusedError:
        return "refused", ""
    except (http.client.HTTPException, ConnectionError):
        return "reset", ""
    finally:
        connection.close()
    return str(answer.status), json.loads(body).get("receipt", "") if answer.status == 202 else ""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def is_serving(port: int) -> bool:
    answer = http_get(port, "/readyz")
    return answer is not None and answer[0] == 200
