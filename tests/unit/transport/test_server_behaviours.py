"""The table of tests/servers over the relay's transport: nothing is applied twice, no plain answer is held."""

import asyncio

import pytest
import uvloop
from yarl import URL

from relay.config.proxy import parse_proxy
from relay.transport import Answer, Request, Response, Session, call, connector
from relay.transport.tls import prepared
from tests.authority import Authority
from tests.servers import TABLE
from tests.servers.scripted import Row, Server

HANG_S = 3.0  # what a call has where the server hangs
SECONDS = 60.0  # what any other has


class Here:
    """A resolver that finds every name on this machine."""

    async def look_up(self, host, asker):
        return self.read

    async def read(self):
        return ["127.0.0.1"]

    async def close(self):
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def trust(authority, monkeypatch):
    context = prepared(authority.client_context())
    monkeypatch.setattr(connector, "_default_tls", lambda: context)


def post(url: str, seconds: float) -> Request:
    return Request(method="POST", url=URL(url), headers={}, body=b"{}", timeout_ms=round(seconds * 1000))


def seen_as(answer: Answer) -> str:
    if isinstance(answer, Response):
        return f"{answer.status} cut" if answer.truncated else str(answer.status)
    return f"{'unknown' if answer.sent else 'unsent'} {answer.kind}"


async def play(row: Row, authority: Authority) -> dict[str, object]:
    """Make two calls, and return where the row is not as it should be."""
    check = (lambda _, addresses: addresses) if row.proxy else None
    async with Server(row).open(authority) as server, Session(Here(), check) as session:
        calls = session.through(parse_proxy(f"http://127.0.0.1:{server.port}") if row.proxy else False)
        url = f"{'https' if row.https else 'http'}://{row.host}:{server.port}"
        first = await call(calls, post(f"{url}/1", HANG_S if row.hangs else SECONDS))
        wrong: dict[str, object] = {}
        if seen_as(first) not in row.right.split(" | "):
            wrong |= {"found": first, "right": row.right}
        if server.finish is not None:
            server.finish()
        if row.again:
            second = await call(calls, post(f"{url}/2", SECONDS))
            if not isinstance(second, Response) or (second.status, second.body) != (200, b"/2"):
                wrong["second"] = second
        if server.applied.count("/1") > 1 or server.applied.count("/2") > 1:
            wrong["applied"] = server.applied
        if seen_as(first).startswith("unsent") and "/1" in server.applied:
            wrong["applied, and said to be unsent"] = first
    return wrong


PARTS = {part: [row for row in rows if not row.hangs] for part, rows in TABLE.items()}
PARTS["servers that hang"] = [row for rows in TABLE.values() for row in rows if row.hangs]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("part", PARTS)
def test_every_server_is_understood_or_held_and_no_request_is_applied_twice(part, loop, authority):
    async def play_all():
        found = await asyncio.gather(*[play(row, authority) for row in PARTS[part]])
        return {row.behaviour: wrong for row, wrong in zip(PARTS[part], found, strict=True) if wrong}

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(play_all()) == {}


def test_the_table_is_long_and_names_every_behaviour_once():
    names = [row.behaviour for rows in TABLE.values() for row in rows]
    assert len(names) == len(set(names)) >= 200
