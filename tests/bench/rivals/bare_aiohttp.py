"""Rival (c): a bare aiohttp loop that posts the same bytes with the same concurrency, and nothing else.

Usage: bare_deliver.py URL CONCURRENCY COUNT BODY_FILE
"""

import asyncio
import sys

import aiohttp
import uvloop


async def main(url: str, concurrency: int, count: int, body: bytes) -> None:
    left = iter(range(count))

    async def lane(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                await answer.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*[lane(session) for _ in range(concurrency)])


if __name__ == "__main__":
    with open(sys.argv[4], "rb") as file:
        uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), file.read()))
