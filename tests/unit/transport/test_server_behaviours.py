"""The table of tests/servers over the relay's transport: nothing is applied twice, no plain answer is held."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import uvloop
from yarl import URL

from relay.config.proxy import parse_proxy
from relay.transport import Request, Response, Session, call, connector
from relay.transport.tls import prepared
from tests.authority import Authority
from tests.servers import TABLE
from tests.servers.playing import Seen, play_all


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


@asynccontextmanager
async def relay_client(row, server):
    check = (lambda _, addresses: addresses) if row.proxy else None
    async with Session(Here(), check) as session:
        calls = session.through(parse_proxy(f"http://127.0.0.1:{server.port}") if row.proxy else False)

        async def post_to(url: str, seconds: float) -> Seen:
            answer = await call(calls, post(url, seconds))
            if isinstance(answer, Response):
                return Seen(f"{answer.status} cut" if answer.truncated else str(answer.status), answer.body)
            return Seen(f"{'unknown' if answer.sent else 'unsent'} {answer.kind}", reason=answer.reason)

        yield post_to


PARTS = {part: [row for row in rows if not row.hangs] for part, rows in TABLE.items()}
PARTS["servers that hang"] = [row for rows in TABLE.values() for row in rows if row.hangs]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("part", PARTS)
def test_every_server_is_understood_or_held_and_no_request_is_applied_twice(part, loop, authority):
    async def play_part():
        return [played async for played in play_all(PARTS[part], authority, relay_client)]

    with asyncio.Runner(loop_factory=loop) as runner:
        played = runner.run(play_part())
    assert [(one.row.behaviour, one.first, one.row.right) for one in played if not one.right] == []
    assert [one.row.behaviour for one in played if one.held or one.twice or one.hidden] == []
    assert [(one.row.behaviour, one.second) for one in played if one.mixed_up] == []


def test_the_table_is_long_and_names_every_behaviour_once():
    names = [row.behaviour for rows in TABLE.values() for row in rows]
    assert len(names) == len(set(names)) >= 200
