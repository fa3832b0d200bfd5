"""What happens to a call whose connection was closed by the server, or leads to a replica."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
import redis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, ReadOnlyError, TimeoutError

from relay.embedded.server import EmbeddedStore
from relay.errors import StoreUnavailable
from relay.processes.ports import free_port
from relay.store.commands import run_command
from relay.store.connect import RepeatOnce, connect, not_repeated
from relay.store.health import read_durability
from tests.store_front import store_front

PROBE = "{relay}:probe"


@pytest.fixture
def open_client(run) -> Iterator[Callable[..., Redis]]:
    """Connect to addresses; every client is closed at the end."""
    clients: list[Redis] = []

    def open_to(url: str, answer_seconds: float = 10) -> Redis:
        clients.append(connect(url, answer_seconds=answer_seconds))
        return clients[-1]

    yield open_to
    for client in clients:
        run(client.aclose())


@pytest.fixture(scope="module")
def with_port(start_server) -> tuple[EmbeddedStore, int]:
    """Start a server that listens on a port too: redis-py treats sockets and ports differently."""
    port = free_port()
    return start_server("--port", str(port)), port


def kill_connections(server: EmbeddedStore) -> int:
    """Close all connections of others, as the server does with idle ones. Returns how many there were."""
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        return client.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("tcp", [True, False], ids=["port", "socket"])
def test_a_connection_that_was_closed_meanwhile_is_replaced(run, with_port, open_client, tcp):
    server, port = with_port
    client = open_client(f"redis://127.0.0.1:{port}/0" if tcp else server.url)

    async def use_one_that_was_closed() -> None:
        await run_command(client.set("key", "1"))
        assert await asyncio.to_thread(kill_connections, server) == 1
        assert await run_command(client.get("key")) == b"1"

    run(use_one_that_was_closed())


@pytest.mark.parametrize("kind", ["command", "pipeline", "exchange"])
def test_a_call_whose_connection_is_closed_at_work_is_repeated_once(run, until, with_port, open_client, kind):
    server, port = with_port
    client = open_client(f"redis://127.0.0.1:{port}/0")

    async def wait_for_an_item() -> object:
        if kind == "command":
            return await run_command(client.blpop(["list"], 5))
        if kind == "exchange":
            return tuple((await run_command(client.connection_pool.exchange([("BLPOP", "list", 5)])))[0])
        async with client.pipeline(transaction=False) as pipe:
            pipe.blpop(["list"], 5)
            return (await run_command(pipe.execute()))[0]

    def blocked() -> bool:
        with redis.Redis(unix_socket_path=str(server.socket)) as other:
            return other.info("clients")["blocked_clients"] == 1

    async def cut(times: int) -> object:
        waiting = asyncio.create_task(wait_for_an_item())
        for _ in range(times):
            await asyncio.to_thread(until, blocked)
            assert await asyncio.to_thread(kill_connections, server) >= 1
        if times == 1:
            await asyncio.to_thread(until, blocked)
            with redis.Redis(unix_socket_path=str(server.socket)) as other:
                other.rpush("list", "item")
        return await waiting

    assert run(cut(1)) == (b"list", b"item")
    with pytest.raises(StoreUnavailable, match="Connection closed by server"):
        run(cut(2))


@pytest.mark.parametrize("kind", ["command", "exchange"])
def test_all_connections_to_a_server_that_became_a_replica_are_replaced(run, start_server, open_client, kind):
    old, new = start_server(), start_server()
    with store_front(old.socket) as front:
        client = open_client(front.url)

        async def write_while_the_address_moves() -> list[bytes]:
            await asyncio.gather(*[client.set("key", "old") for _ in range(4)])
            await client.replicaof("127.0.0.1", "1")
            front.socket = new.socket
            if kind == "exchange":
                await run_command(client.connection_pool.exchange([("SET", "key", "new")]))
            else:
                await run_command(client.set("key", "new"))
            return await asyncio.gather(*[run_command(client.get("key")) for _ in range(4)])

        assert run(write_while_the_address_moves()) == [b"new"] * 4


def test_a_replica_that_is_only_read_is_noticed_by_the_look_at_its_health(run, start_server, open_client):
    old, new = start_server(), start_server()
    with store_front(old.socket) as front:
        client = open_client(front.url)
        assert run(read_durability(client, PROBE)).grade == "fsync"
        run(client.replicaof("127.0.0.1", "1"))
        front.socket = new.socket
        assert run(read_durability(client, PROBE)).grade == "fsync"


def test_while_there_is_no_master_every_call_says_so(run, start_server, open_client):
    client = open_client(start_server("--replicaof", "127.0.0.1", "1").url)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="read only replica"):
            run(run_command(client.set("key", "1")))


def test_an_exchange_that_is_not_answered_in_time_ends_and_the_next_gets_its_own_answer(run, server, open_client):
    client = open_client(server.url, answer_seconds=0.05)

    async def exchange(*command: str) -> object:
        return (await run_command(client.connection_pool.exchange([command])))[0]

    assert run(exchange("ECHO", "before")) == b"before"
    with pytest.raises(StoreUnavailable, match="Timeout reading from"):
        run(exchange("BLPOP", "nothing", "60"))
    assert [run(exchange("ECHO", word)) for word in ("one", "two")] == [b"one", b"two"]


def test_an_exchange_that_is_cancelled_leaves_no_answer_to_the_next(run, server, open_client):
    client = open_client(server.url)

    async def cancel_one() -> object:
        waiting = asyncio.create_task(client.connection_pool.exchange([("BLPOP", "nothing", 1)]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return (await client.connection_pool.exchange([("ECHO", "mine")]))[0]

    assert run(cancel_one()) == b"mine"


def test_calls_beside_which_all_connections_are_dropped_are_answered_at_once(run, server):
    pool = connect(server.url, answer_seconds=10, connections=4).connection_pool

    async def ask(word: bytes, steps: int) -> object:
        for _ in range(steps):
            await asyncio.sleep(0)
        with not_repeated():
            return (await pool.exchange([("ECHO", word)]))[0]

    async def ask_while_they_are_dropped() -> list[object]:
        answers = []
        for steps in range(8):
            await asyncio.gather(*[pool.exchange([("PING",)]) for _ in range(4)])
            _, *found = await asyncio.gather(pool.drop(), *[ask(b"%d" % n, steps) for n in range(4)])
            answers.append(found)
        return answers

    try:
        assert run(ask_while_they_are_dropped()) == [[b"0", b"1", b"2", b"3"]] * 8
    finally:
        run(pool.aclose())


def test_of_several_commands_in_one_exchange_the_error_of_one_leaves_no_answer_behind(run, server, open_client):
    pool = open_client(server.url).connection_pool
    with pytest.raises(StoreUnavailable, match="store refuses it"):
        run(run_command(pool.exchange([("ECHO", "one"), ("NO", "SUCH"), ("ECHO", "two")])))
    assert run(pool.exchange([("ECHO", "three"), ("ECHO", "four")])) == [b"three", b"four"]


def test_who_finds_every_connection_in_use_gets_the_first_that_comes_back_or_is_told(run, server):
    pool = connect(server.url, answer_seconds=0.05, connections=1).connection_pool

    async def take_turns() -> object:
        first = await pool.get_connection()
        waiting = asyncio.create_task(pool.get_connection())
        await asyncio.sleep(0)
        await pool.release(first)
        second = await waiting
        try:
            with pytest.raises(ConnectionError, match="No connection available"):
                await pool.get_connection()
        finally:
            await pool.release(second)
        assert first is second
        await pool.aclose()

    run(take_turns())


@pytest.mark.parametrize("error", [ConnectionError("closed"), ReadOnlyError("a replica")], ids=["closed", "replica"])
def test_nothing_is_repeated_once_the_patience_is_over(run, error):
    calls = []

    async def fail() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        run(RepeatOnce(0, _nothing).call_with_retry(fail, _nothing))
    assert len(calls) == 1


def test_a_repetition_ends_with_the_patience(run):
    calls = []

    async def fail_then_hang() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("closed")
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError, match="over a new connection"):
        run(RepeatOnce(0.05, _nothing).call_with_retry(fail_then_hang, _nothing))
    assert len(calls) == 2


async def _nothing(*_: object) -> None:
    pass
