"""Rival (e), the worker: each hook of the stream as it came, in one POST; once it has arrived it leaves the stream.

No routes, no limits, no story. What failed, or what its worker died of, is taken again after a minute.
"""

import asyncio
import contextlib
import os

import aiohttp
import uvloop
from redis.asyncio import Redis
from redis.exceptions import ResponseError

STREAM, GROUP, ME = "hooks", "deliver", "worker"
AT_ONCE = 64
AGAIN_MS = 60_000
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class Worker:
    def __init__(self, store: Redis, session: aiohttp.ClientSession, url: str) -> None:
        self._store, self._session, self._url = store, session, url
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        while True:
            for _, entries in await self._store.xreadgroup(GROUP, ME, {STREAM: ">"}, count=AT_ONCE, block=3000):
                await self._start(entries)

    async def repeat(self) -> None:
        while True:
            _, entries, _ = await self._store.xautoclaim(STREAM, GROUP, ME, AGAIN_MS)
            await self._start(entries)
            await asyncio.sleep(AGAIN_MS / 1000)

    async def _start(self, entries) -> None:
        for id, fields in entries:
            await self._slots.acquire()
            task = asyncio.create_task(self._deliver(id, fields[b"body"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, id: bytes, body: bytes) -> None:
        try:
            async with self._session.post(self._url, data=body, headers=HEADERS) as answer:
                await answer.read()
                answer.raise_for_status()
            async with self._store.pipeline(transaction=True) as done:
                await done.xack(STREAM, GROUP, id).xdel(STREAM, id).execute()
        except aiohttp.ClientError as error:
            print(f"{id!r} is taken again: {error}", flush=True)
        finally:
            self._slots.release()


async def main() -> None:
    store = Redis.from_url(os.environ["REDIS_URL"])
    with contextlib.suppress(ResponseError):  # it is there
        await store.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        worker = Worker(store, session, f"{os.environ['BENCH_RECEIVER']}/hooks")
        await asyncio.gather(worker.run(), worker.repeat())


if __name__ == "__main__":
    uvloop.run(main())
