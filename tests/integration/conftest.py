"""A real store: one embedded server for the session (and xdist worker), a namespace of its own for every test."""

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from relay.cli import app
from relay.embedded.server import EmbeddedStore
from relay.operations import search
from relay.operations.shards import add_shard
from relay.processes.orphan_guard import OrphanGuard
from relay.store.acts import Author
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.readers import Readers
from relay.store.shard_list import Ownership
from relay.store.shards import Shards
from relay.store.store import Store
from relay.store.stores import Stores
from tests.integration.invariants import broken_invariants
from tests.integration.sandbox_process import Sandbox, open_sandbox
from tests.integration.served_account import Served
from tests.integration.small_relay import SmallRelay

T = TypeVar("T")
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def patient_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list ends by the work it has done, not by the time that a busy machine took for it."""
    monkeypatch.setattr(search, "MOST_SECONDS", 1e9)


@pytest.fixture(scope="session")
def start_server() -> Iterator[Callable[..., EmbeddedStore]]:
    """Start further servers with options of their own; all end with the session."""
    started: list[EmbeddedStore] = []
    # Short: a socket's path has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="amo-") as folder:
        guard = OrphanGuard()  # a run that is killed leaves no server behind

        def start(*options: str) -> EmbeddedStore:
            server = EmbeddedStore(Path(folder) / str(len(started)), *options)
            started.append(server)
            server.start()
            guard.watch(server.pid)
            return server

        try:
            yield start
        finally:
            guard.close()
            for server in started:
                server.stop()


@pytest.fixture(scope="session")
def server(start_server) -> EmbeddedStore:
    """Return the server that all tests of this process share."""
    return start_server()


@pytest.fixture
def namespace() -> str:
    """Name a part of the server that no other test touches."""
    return f"t{next(_numbers)}"


@pytest.fixture
def run() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Run coroutines in one loop from a plain test."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def store(server, namespace, run) -> Iterator[Store]:
    """Return an empty store; after the test its invariants are checked."""
    store = Store(connect(server.url, answer_seconds=10), namespace)
    try:
        yield store
        assert run(broken_invariants(store)) == []
    finally:
        run(delete_all(store))


@pytest.fixture
def spent(run, store) -> Callable[[], tuple[int, int]]:
    """Return a function that returns the script calls, and the commands in them, since it was last called."""

    async def read() -> Counter[str]:
        stats = await store.client.info("commandstats")
        return Counter({name.removeprefix("cmdstat_"): int(values["calls"]) for name, values in stats.items()})

    before = run(read())

    def since() -> tuple[int, int]:
        nonlocal before
        now = run(read())
        used, before = now - before, now
        calls = used.pop("evalsha", 0) + used.pop("eval", 0)
        for own in ("info", "client|setinfo", "hello", "auth", "select"):
            used.pop(own, None)
        return calls, sum(used.values())

    return since


async def delete_all(store: Store) -> None:
    """Delete all keys of a store, and close its connections."""
    if keys := await store.client.keys(store.keys.prefix + "*"):
        await store.client.unlink(*keys)
    await store.client.aclose()


@pytest.fixture
def reader(store, namespace) -> Reader:
    """Return the reader of the store."""
    return Reader(store.client, namespace)


@pytest.fixture
def command(server, namespace, monkeypatch, tmp_path) -> Callable[..., tuple[str, str]]:
    """Run a command on the test's store, in a folder of its own; return what it printed on stdout and on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    monkeypatch.setenv("RELAY_CONFIG", "relay.yaml")

    def run(*arguments: str) -> tuple[str, str]:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.exception or done.output
        return done.stdout, done.stderr

    return run


@pytest.fixture
def relay(run, store, reader, server, namespace, monkeypatch, tmp_path) -> SmallRelay:
    """Return a relay without processes; commands use its store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server.url)
    monkeypatch.setenv("RELAY_NAMESPACE", namespace)
    monkeypatch.setenv("RELAY_CONFIG", "relay.yaml")
    return SmallRelay(run, store, reader, tmp_path)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], T]], T]:
    """Poll until a condition is true; return its value."""

    def wait(condition: Callable[[], T], seconds: float = 60) -> T:
        end = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.001)
        return answer

    return wait


@pytest.fixture(scope="module")
def serving(until) -> Iterator[Sandbox]:
    """Let the fakes serve for the tests of a module."""
    with open_sandbox(until) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(serving) -> Sandbox:
    """Return the fakes, without requests and faults of earlier tests."""
    serving.clear()
    return serving


@pytest.fixture
def served() -> Iterator[Served]:
    """Return a fake amoCRM account behind a port."""
    account = Served()
    account.start()
    try:
        yield account
    finally:
        account.stop()


@pytest.fixture
def shards(run, server, store):
    """Return shards on one server: what makes them several is their hash tags."""
    opened: list[Store] = []

    def open_store(namespace: str) -> Store:
        opened.append(Store(connect(server.url, answer_seconds=10), namespace))
        return opened[-1]

    yield Shards(store, open_store)
    for one in opened:
        run(delete_all(one))


@pytest.fixture
def three(run, shards):
    """Return three shards with a source each: acme, bigco and corner."""
    run(shards.first.registry.add_sources(["acme"]))
    for name in ("01", "02"):
        assert run(add_shard(shards, name, Author(by="anna"))) == name
    for source, shard in (("bigco", "01"), ("corner", "02")):
        given = run(shards.record.assign(source, None, shard))
        assert run(Ownership(shards.store(shard).client, shards.store(shard).namespace).own(source, given.epoch))
    run(shards.refresh())
    return shards


@pytest.fixture
def whole(three):
    """Return what reads and what acts on all of them."""
    each = {name: Reader(one.client, one.namespace, three.gates(name)) for name, one in three.stores().items()}
    readers = Readers(lambda: each, three.list.shard_of)
    stores = Stores(three.stores, readers, three.list.shard_of, three.list.home_of)
    return SimpleNamespace(reader=readers, store=stores, shards=three, each=each)
