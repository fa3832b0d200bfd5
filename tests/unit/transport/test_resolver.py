"""Names: what is kept of their answers and for how long, whose turn it is, and that one that hangs stops nobody."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import uvloop
from yarl import URL

from relay.transport import Asker, CachingResolver, Request, Session, TransportFailure, call, lookup_bounds, resolver
from relay.transport.addresses import connect_socket
from relay.transport.lookup_bounds import PER_SINK, PER_SOURCE, NoTurn
from tests.name_server import FakeNameServer, names_of_this_machine

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
ANYBODY = Asker()
BOOKS = "books.example.com"


@asynccontextmanager
async def names(server: FakeNameServer):
    async with server.open() as servers:
        found = CachingResolver(servers)
        try:
            yield found
        finally:
            await found.close()


async def resolve(found: CachingResolver, host: str, asker: Asker = ANYBODY) -> list[str]:
    lookup = await found.look_up(host, asker)
    return list(await lookup())


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110  it changes on a name server
            await asyncio.sleep(0.02)


async def resolves_to(found: CachingResolver, host: str, address: str) -> bool:
    try:
        return await resolve(found, host) == [address]
    except OSError:
        return False


def run(scenario, loop=uvloop.new_event_loop):
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(scenario())


@LOOPS
def test_a_name_is_asked_for_once_while_its_records_are_good(loop):
    async def scenario():
        server = FakeNameServer({BOOKS: ["203.0.113.7", "2001:db8::7"]})
        async with names(server) as found:
            answers = await asyncio.gather(*[resolve(found, BOOKS) for _ in range(20)])
            assert await resolve(found, BOOKS) == answers[0]
            assert all(sorted(answer) == ["2001:db8::7", "203.0.113.7"] for answer in answers)
            assert server.asked[BOOKS] == 1

    run(scenario, loop)


def test_and_again_when_they_have_ended():
    async def scenario():
        server = FakeNameServer({BOOKS: ["203.0.113.7"]}, ttl=1)
        async with names(server) as found:
            await resolve(found, BOOKS)
            server.names[BOOKS] = ["203.0.113.8"]
            await until(lambda: resolves_to(found, BOOKS, "203.0.113.8"))
            assert server.asked[BOOKS] >= 2  # c-ares itself may have repeated a question

    run(scenario)


def test_that_there_is_no_such_name_is_known_for_seconds_whatever_its_zone_says(monkeypatch):
    monkeypatch.setattr(resolver, "NO_ANSWER_S", 0.3)

    async def scenario():
        server = FakeNameServer()
        async with names(server) as found:
            for _ in range(3):
                with pytest.raises(OSError, match="there is no such name"):
                    await resolve(found, BOOKS)
            assert server.asked[BOOKS] == 1, "it is known for a while"
            server.names[BOOKS] = ["203.0.113.7"]  # they have made it
            await until(lambda: resolves_to(found, BOOKS, "203.0.113.7"))

    run(scenario)


def test_the_last_answer_serves_while_the_name_server_is_away(monkeypatch, caplog):
    monkeypatch.setattr(resolver, "SHORTEST_S", 0.0)
    monkeypatch.setattr(resolver, "STALE_AFTER_S", 0.01)
    monkeypatch.setattr(resolver, "NO_ANSWER_S", 0.05)
    monkeypatch.setattr(resolver, "NAME_S", 0.2)

    async def scenario():
        server = FakeNameServer({BOOKS: ["203.0.113.7"]}, ttl=0)
        async with names(server) as found:
            await resolve(found, BOOKS)
            server.silent = True
            before = server.asked[BOOKS]
            for _ in range(5):
                assert await resolve(found, BOOKS) == ["203.0.113.7"]

            async def is_asked_again():
                return server.asked[BOOKS] > before + 1 and await resolves_to(found, BOOKS, "203.0.113.7")

            await until(is_asked_again)
            server.silent, server.names[BOOKS] = False, ["203.0.113.8"]
            await until(lambda: resolves_to(found, BOOKS, "203.0.113.8"))

    run(scenario)


def test_a_name_that_never_answers_has_an_end(monkeypatch):
    monkeypatch.setattr(resolver, "NAME_S", 0.1)

    async def scenario():
        server = FakeNameServer()
        async with names(server) as found:
            for _ in range(3):
                with pytest.raises(OSError, match="no name server answered in time"):
                    await resolve(found, "hang.example.com")
            assert server.asked["hang.example.com"] == 1, "and for a while it is known"

    run(scenario)


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example.com", "a b.example.com", "é" * 300])
def test_what_cannot_be_a_name_is_said(host):
    async def scenario():
        async with names(FakeNameServer()) as found:
            with pytest.raises(OSError, match=r"name"):
                await resolve(found, host)

    run(scenario)


def test_names_of_etc_hosts_need_no_name_server():
    async def scenario():
        server = FakeNameServer()
        async with names(server) as found:
            assert set(await resolve(found, "localhost")) <= {"127.0.0.1", "::1"}
            for name, address in names_of_this_machine().items():
                assert address in await resolve(found, name)
        assert not server.asked

    run(scenario)


def test_search_domains_are_tried(monkeypatch):
    monkeypatch.setenv("LOCALDOMAIN", "corp.example.com")  # as `search` in /etc/resolv.conf

    async def scenario():
        async with names(FakeNameServer({"books.corp.example.com": ["203.0.113.7"]})) as found:
            assert await resolve(found, "books") == ["203.0.113.7"]

    run(scenario)


def test_nobody_has_more_than_its_share_of_the_look_ups(monkeypatch):
    monkeypatch.setattr(lookup_bounds, "WAIT_S", 0.05)

    async def scenario():
        server = FakeNameServer({BOOKS: ["203.0.113.7"]})
        async with names(server) as found:
            hostile = [Asker(source="acme", sink=f"sub-{n}") for n in range(40)]
            tried = await asyncio.gather(
                *[found.look_up(f"hang{n}.example.com", asker) for n, asker in enumerate(hostile)],
                return_exceptions=True,
            )
            waiting = [error for error in tried if isinstance(error, NoTurn)]
            assert len(waiting) == 40 - PER_SOURCE
            assert str(waiting[0]) == "8 other host names of the source acme are still being looked up"

            async def are_asked():
                return len(server.asked) == PER_SOURCE

            await until(are_asked)
            assert await resolve(found, BOOKS, Asker(source="globex", sink="sub-41")) == ["203.0.113.7"]
            assert await resolve(found, BOOKS, hostile[0]) == ["203.0.113.7"], "what is known needs no turn"

    run(scenario)


def test_a_sink_has_a_share_of_its_own_and_a_turn_comes_back(monkeypatch):
    monkeypatch.setattr(lookup_bounds, "WAIT_S", 0.05)
    monkeypatch.setattr(resolver, "NAME_S", 0.4)

    async def scenario():
        async with names(FakeNameServer({BOOKS: ["203.0.113.7"]})) as found:
            sink = Asker(sink="books")
            lookups = [await found.look_up(f"hang{n}.example.com", sink) for n in range(PER_SINK)]
            with pytest.raises(NoTurn):
                await found.look_up(BOOKS, sink)
            await asyncio.gather(*[lookup() for lookup in lookups], return_exceptions=True)
            assert await resolve(found, BOOKS, sink) == ["203.0.113.7"]

    run(scenario)


def test_waiting_for_a_turn_is_no_failure_of_theirs_and_takes_none_of_their_time(monkeypatch):
    """A call with 300 ms for its answer waits longer than that for its turn, and is answered."""
    monkeypatch.setattr(lookup_bounds, "PER_SOURCE", 1)
    monkeypatch.setattr(resolver, "NAME_S", 0.6)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async def scenario():
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with FakeNameServer({BOOKS: ["127.0.0.1"]}).open() as servers, Session(CachingResolver(servers)) as all:
            session = all.on_behalf_of(Asker(source="acme"))
            hangs, answer = await asyncio.gather(
                call(session, request("http://hang.example.com/")), call(session, request(f"http://{BOOKS}:{port}/"))
            )
            assert (hangs.kind, hangs.sent) == ("timeout_before_write", False)
            assert answer.status == 204
            monkeypatch.setattr(lookup_bounds, "WAIT_S", 0.01)
            _, waited = await asyncio.gather(
                call(session, request("http://hang2.example.com/")), call(session, request("http://other.example.com/"))
            )
        listener.close()
        await listener.wait_closed()
        assert isinstance(waited, TransportFailure)
        assert (waited.kind, waited.sent, waited.ours) == ("queue", False, True)
        assert waited.reason.startswith("not tried yet: 1 other host names of the source acme")

    run(scenario)


def request(url: str) -> Request:
    return Request(method="GET", url=URL(url), headers={}, body=b"", timeout_ms=300)


@LOOPS
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_reached_though_no_thread_is_free(loop, host, monkeypatch):
    """Neither the loop's threads nor the system's resolver: the first are busy, the second is an error here."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")

    def ask_the_system(*_, **__):
        raise AssertionError("the system was asked to resolve an address")

    async def scenario():
        current, free = asyncio.get_running_loop(), threading.Event()
        current.set_default_executor(ThreadPoolExecutor(1))
        busy = current.run_in_executor(None, free.wait)
        listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        monkeypatch.setattr(socket, "getaddrinfo", ask_the_system)
        monkeypatch.setattr(current, "getaddrinfo", ask_the_system, raising=False)
        try:
            async with asyncio.timeout(30):
                with await connect_socket([host], listener.getsockname()[1]) as connected:
                    assert connected.getpeername()[:2] == listener.getsockname()[:2]
        finally:
            listener.close()
            free.set()
            await busy

    run(scenario, loop)


def test_an_unknown_interface_is_an_error_and_not_a_name():
    async def scenario():
        with pytest.raises(OSError, match="interface"):
            await connect_socket(["fe80::1%nowhere"], 80)

    run(scenario)
