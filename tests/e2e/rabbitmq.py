"""Debian's RabbitMQ, with a folder and ports of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.processes.ports import free_port, is_free
from tests.e2e.harness import until

# Debian's /usr/sbin/rabbitmq-server insists on a user and a folder.
_SERVERS = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[str]:
    """Run a server; yield its address. Where there is none the test is skipped, but fails in CI, which installs it."""
    if not _SERVERS:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs rabbitmq-server of Debian")
    folder.mkdir()
    port, names_port = free_port(), free_port()
    config = folder / "rabbitmq.conf"
    config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    own = {
        "HOME": folder,  # of the cookie
        "ERL_EPMD_PORT": names_port,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"relay{port}@localhost",
        "RABBITMQ_DIST_PORT": free_port(),
        "RABBITMQ_CONFIG_FILE": config,
        "RABBITMQ_MNESIA_BASE": folder / "data",
        "RABBITMQ_LOG_BASE": folder / "logs",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
        "RABBITMQ_PID_FILE": folder / "pid",
    }
    environ = {**os.environ, **{name: str(value) for name, value in own.items()}}
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen([_SERVERS[-1]], env=environ, stdout=output, stderr=output, start_new_session=True)
    try:
        until(lambda: _listens(server, port, folder), what="RabbitMQ to listen")
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        # Erlang's daemon of names outlives it.
        subprocess.run(["epmd", "-kill"], env=environ, capture_output=True, check=False)


def _listens(server: "subprocess.Popen[bytes]", port: int, folder: Path) -> bool:
    assert server.poll() is None, (folder / "output").read_text()
    return not is_free(port)
