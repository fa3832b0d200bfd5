"""The table of tests/servers over the relay's transport, aiohttp and httpx, for curiosity.

Usage: python -m tests.bench.servers. Proxies are left out, because the others do not ask them for tunnels to http://
addresses. An answer counts as understood whether or not a client says that its body is cut.
"""

import asyncio
import logging
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from unittest import mock

import aiohttp
import httpx
import uvloop

from relay.transport import connector as relay_connector
from relay.transport.tls import prepared
from tests.authority import Authority
from tests.servers import TABLE, playing
from tests.servers.playing import Call, OpenClient, Played, Seen, play_all
from tests.servers.scripted import Row, Server
from tests.unit.transport.test_server_behaviours import relay_client


def aiohttp_client(tls: ssl.SSLContext) -> OpenClient:
    """Return what opens a session of aiohttp."""

    @asynccontextmanager
    async def client(_: Row, __: Server) -> AsyncIterator[Call]:
        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver())
        async with aiohttp.ClientSession(connector=connector) as session:

            async def post(url: str, seconds: float) -> Seen:
                status = 0
                limit = aiohttp.ClientTimeout(total=seconds)
                try:
                    async with session.post(url, data=b"{}", timeout=limit, ssl=tls, allow_redirects=False) as answer:
                        status = answer.status
                        return Seen(str(status), await answer.read())
                except aiohttp.ClientConnectorError as error:
                    return Seen("unsent", reason=repr(error))
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    return Seen(f"{status} cut" if status else "unknown", reason=repr(error))

            yield post

    return client


def httpx_client(tls: ssl.SSLContext) -> OpenClient:
    """Return what opens a client of httpx."""

    @asynccontextmanager
    async def client(_: Row, __: Server) -> AsyncIterator[Call]:
        async with httpx.AsyncClient(verify=tls, trust_env=False) as session:

            async def post(url: str, seconds: float) -> Seen:
                status = 0
                try:
                    async with (
                        asyncio.timeout(seconds),
                        session.stream("POST", url, content=b"{}", timeout=seconds) as it,
                    ):
                        status = it.status_code
                        return Seen(str(status), await it.aread())
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    return Seen("unsent", reason=repr(error))
                except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError, ssl.SSLError) as error:
                    return Seen(f"{status} cut" if status else "unknown", reason=repr(error))

            yield post

    return client


async def play_table(authority: Authority, client: OpenClient) -> list[Played]:
    """Play all rows but those of proxies; each part at once, what hangs at the end."""
    rows = [row for part, rows in TABLE.items() if part != "proxies" for row in rows]
    found: list[Played] = []
    for group in ([row for row in rows if not row.hangs], [row for row in rows if row.hangs]):
        found += [played async for played in play_all(group, authority, client)]
    return found


def differs(played: Played) -> bool:
    """Return whether a client makes something else of a row: another status, or none, or one where there is none."""
    return played.first.found.split(" ")[0] not in {right.split(" ")[0] for right in played.row.right.split(" | ")}


def print_counts(name: str, table: Sequence[Played]) -> None:
    """Print a line of counts, and each row in which a client is wrong."""
    counts = {
        "otherwise": [one for one in table if differs(one)],
        "plain answers held": [one for one in table if one.held],
        "applied twice": [one for one in table if one.twice],
        "applied, said to be unsent": [one for one in table if one.hidden],
        "next call without its answer": [one for one in table if one.mixed_up],
    }
    sys.stdout.write(f"{name}, {len(table)} rows: {', '.join(f'{what} {len(of)}' for what, of in counts.items())}\n")
    for what, of in counts.items():
        for one in of if what != "plain answers held" else ():
            sys.stdout.write(f"  {what}: {one.row.behaviour}: {one.first.found}, right is {one.row.right}\n")


def main() -> None:
    """Play the table with each client."""
    playing.SECONDS = 10.0  # who has not understood an end by then waits for it
    logging.disable(logging.CRITICAL)  # servers and clients complain of each other
    here = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 0))]

    def find(_: object, port: int, *__: object, **___: object) -> list[object]:
        return [(*found, (address[0], port)) for *found, address in here]

    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        tls = prepared(authority.client_context())
        with (
            mock.patch("socket.getaddrinfo", find),
            mock.patch.object(relay_connector, "_default_tls", return_value=tls),
        ):
            for name, loop, client in (
                ("relay", uvloop.new_event_loop, relay_client),
                ("aiohttp", asyncio.new_event_loop, aiohttp_client(tls)),
                ("httpx", asyncio.new_event_loop, httpx_client(tls)),
            ):
                with asyncio.Runner(loop_factory=loop) as runner:
                    print_counts(name, runner.run(play_table(authority, client)))


if __name__ == "__main__":
    main()
