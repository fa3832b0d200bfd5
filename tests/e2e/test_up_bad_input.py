"""What stands in the way of `relay up` is one line that says what to do, and nothing is started or changed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from relay.embedded.server import EmbeddedStore
from relay.processes.folder import UP_FOLDER
from relay.store.keys import Keys
from tests.e2e.up_harness import CONFIG, Up


@pytest.fixture
def up(tmp_path: Path) -> Up:
    return Up(tmp_path)


@contextmanager
def store_of(up: Up) -> Iterator["redis.Redis"]:
    """Run the store of a relay that does not."""
    store = EmbeddedStore(up.folder / UP_FOLDER / "store")
    store.start()
    try:
        with redis.Redis(unix_socket_path=str(store.socket)) as client:
            yield client
    finally:
        store.stop()


def test_a_port_that_is_taken(up: Up) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", up.port))
        other.listen()
        assert up.run("up", status=1) == (
            f"cannot listen on 127.0.0.1:{up.port}: Address already in use: "
            "end what listens there, or set PORT or RELAY_HOST to another address\n"
        )
    assert not (up.folder / UP_FOLDER / "store").exists()


def test_a_folder_that_cannot_be_written_to(up: Up) -> None:
    (up.folder / ".relay").write_text("a file in its place")
    assert up.run("up", status=1) == (
        f"{up.folder / UP_FOLDER}: Not a directory: make it a folder that this user may write to\n"
    )


def test_a_configuration_that_is_not_fit_for_production(up: Up) -> None:
    (up.folder / "config" / "relay.yaml").write_text(CONFIG.replace("token: 0123456789abcdef", "token: short"))
    assert "token is easy to guess" in up.run("up", status=1)
    assert not (up.folder / UP_FOLDER).exists()


def test_a_line_of_the_env_file_that_is_none(up: Up) -> None:
    (up.folder / ".env").write_text("A=1\nsecret\n")
    assert up.run("up", status=1) == f"{up.folder / '.env'}:2: not a variable: write NAME=value, or a # before it\n"


def test_another_relays_store_is_left_alone_and_taken_over_when_told(up: Up) -> None:
    with store_of(up) as client:
        client.sadd(Keys().sources, "shop", "club")
    refused = up.run("up", status=1)
    assert (
        "is another relay's, under RELAY_NAMESPACE=relay: it knows club, shop, and the file has only acme." in refused
    )
    with store_of(up) as client:
        assert client.smembers(Keys().sources) == {b"shop", b"club"}
        variables = {"REDIS_URL": f"unix://{EmbeddedStore(up.folder / UP_FOLDER / 'store').socket}"}
        for process in ("web", "worker"):
            assert "is another relay's" in up.run(process, status=1, variables=variables)
    up.start("--take-over")
    up.end()
    with store_of(up) as client:  # it is needed once
        assert client.smembers(Keys().sources) == {b"shop", b"club", b"acme"}
