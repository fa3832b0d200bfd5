"""Serve the fakes: `python -m relay.sandbox PORT`, on this machine only."""

import asyncio
import sys

import uvicorn
import uvloop

from relay.sandbox.app import create
from relay.sandbox.wire import ListeningPort, Wire


async def serve(port: int) -> None:
    """Serve until a signal."""
    listening = ListeningPort()
    config = uvicorn.Config(
        create(listening.close_for),
        host="127.0.0.1",
        port=port,
        http=Wire,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,  # do not wait for hanging faults
    )
    listening.server = uvicorn.Server(config)
    await listening.server.serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
