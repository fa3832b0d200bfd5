"""A receiver that is never the limit: HTTP/1.1 keep-alive by hand, one fixed answer, and a count of what came.

Usage: receiver.py PORT [DELAY_MS]: so long each POST waits for its answer. `GET /count` answers {"count"}, `GET /reset`
forgets, `GET /times` answers the first arrival of each lead id found in a body, by the clock that all processes share.
"""

import asyncio
import json
import re
import sys
import time
from typing import ClassVar

import uvloop

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
_LENGTH = re.compile(rb"(?i)content-length: (\d+)")
_LEAD = re.compile(rb'"lead": ?"(\d+)"|%5B0%5D%5Bid%5D=(\d+)')  # as the route writes it, or the hook as it came


class Log:
    count = 0
    answer_after = 0.0  # seconds
    times: ClassVar[dict[str, float]] = {}


class Receiver(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.data = b""

    def data_received(self, data):
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            length = int(found[1]) if (found := _LENGTH.search(head)) else 0
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
            if not head.startswith(b"POST"):
                self.transport.write(answer(head))
            elif received(body) and Log.answer_after:
                asyncio.get_running_loop().call_later(Log.answer_after, self.transport.write, ANSWER)
            else:
                self.transport.write(ANSWER)


def received(body):
    Log.count += 1
    if lead := find_lead(body):
        Log.times.setdefault(str(lead), time.monotonic())
    return True


def find_lead(body):
    """Return the lead id in a body; 0 where there is none."""
    found = _LEAD.search(body)
    return int(found[1] or found[2]) if found else 0


def answer(head):
    content = Log.times if head.startswith(b"GET /times") else {"count": Log.count}
    if head.startswith(b"GET /reset"):
        Log.count, Log.times = 0, {}
    body = json.dumps(content).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def main(port):
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    Log.answer_after = float(sys.argv[2]) / 1000 if len(sys.argv) > 2 else 0.0
    uvloop.run(main(int(sys.argv[1])))
