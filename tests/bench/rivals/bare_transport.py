"""The relay's own transport in a bare loop. What a delivery costs beyond that is the relay: it decides, and remembers.

Usage: bare_transport.py URL CONCURRENCY COUNT BODY_FILE
"""

import asyncio
import sys

import uvloop
from yarl import URL

from relay.transport import Request, Response, Session, call


async def main(url: str, concurrency: int, count: int, body: bytes) -> None:
    left = iter(range(count))
    headers = {"Content-Type": "application/json"}
    request = Request(method="POST", url=URL(url), headers=headers, body=body, timeout_ms=15_000)

    async def lane(session: Session) -> None:
        for _ in left:
            answer = await call(session, request)
            assert isinstance(answer, Response)

    async with Session() as session:
        await asyncio.gather(*[lane(session) for _ in range(concurrency)])


if __name__ == "__main__":
    with open(sys.argv[4], "rb") as file:
        uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), file.read()))
