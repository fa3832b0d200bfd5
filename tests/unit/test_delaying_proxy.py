"""The way through the proxy is longer and not narrower: each chunk leaves a fixed time after it came."""

import asyncio
import os

from tests.delaying_proxy import DelayedWay, DelayingProxy


class PlayedTime:
    """A clock that a test moves, and what is to be called at its times."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, object]] = []
        self.left: list[tuple[float, bytes | str]] = []

    def way(self, delay: float) -> DelayedWay:
        return DelayedWay(
            delay, lambda: self.now, lambda at, call: self._calls.append((at, call)),
            lambda data: self.left.append((self.now, data)), lambda: self.left.append((self.now, "end")),
        )  # fmt: skip

    def pass_until(self, end: float) -> None:
        while due := sorted((one for one in self._calls if one[0] <= end), key=lambda one: one[0]):
            self._calls.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = end


def test_each_chunk_leaves_so_long_after_it_came_and_none_waits_for_another():
    time = PlayedTime()
    way = time.way(5)
    for at, data in ((0, b"a"), (1, b"b"), (1, b"c"), (3, b"d")):
        time.pass_until(at)
        way.feed(data)
    way.end()
    time.pass_until(20)
    assert time.left == [(5, b"a"), (6, b"b"), (6, b"c"), (8, b"d"), (8, "end")]


def test_what_comes_later_begins_a_wait_of_its_own():
    time = PlayedTime()
    way = time.way(2)
    way.feed(b"a")
    time.pass_until(7)
    way.feed(b"b")
    time.pass_until(20)
    assert time.left == [(2, b"a"), (9, b"b")]


def test_without_a_delay_it_leaves_at_once():
    time = PlayedTime()
    way = time.way(0)
    way.feed(b"a")
    way.end()
    assert time.left == [(0, b"a"), (0, "end")]


def test_a_connection_passes_both_ways_unchanged_and_ends_at_its_end(tmp_path):
    asyncio.run(check_connection(str(tmp_path / "s")))


async def check_connection(socket: str) -> None:
    sent = os.urandom(300_000)

    echoed = asyncio.Event()

    async def echo(reader, writer):
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()
        await writer.wait_closed()
        echoed.set()

    proxy = DelayingProxy(socket, 0.001)
    async with await asyncio.start_unix_server(echo, socket), await proxy.listen() as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.close()
        await asyncio.gather(writer.wait_closed(), echoed.wait())
        while proxy.ends:  # noqa: ASYNC110  nothing tells when the last has ended
            await asyncio.sleep(0)


def test_where_nobody_listens_behind_it_the_connection_ends(tmp_path):
    async def check() -> bytes:
        async with await DelayingProxy(str(tmp_path / "none"), 0.001).listen() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.sockets[0].getsockname())
            seen = await reader.read()
            writer.close()
            await writer.wait_closed()
            return seen

    assert asyncio.run(check()) == b""
