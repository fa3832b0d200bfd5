"""Serve the fakes: `python -m relay.sandbox PORT [SMTP_PORT]`, on this machine only."""

import asyncio
import sys

import uvicorn
import uvloop

from relay.sandbox.app import FakeVendors, create
from relay.sandbox.smtp import MailPort
from relay.sandbox.wire import ListeningPort, Wire


async def serve(port: int, smtp_port: int | None) -> None:
    """Serve until a signal."""
    listening = ListeningPort()

    async def close_for(seconds: float) -> None:
        closing = [listening.close_for(seconds), *([] if mail is None else [mail.close_for(seconds)])]
        await asyncio.gather(*closing)

    sandbox = FakeVendors(close_for)
    mail = None if smtp_port is None else MailPort(sandbox, smtp_port)
    config = uvicorn.Config(
        create(sandbox),
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
    if mail is not None:
        await mail.open()
    await listening.server.serve()
    if mail is not None:
        await mail.close()


if __name__ == "__main__":
    ports = [int(port) for port in sys.argv[1:]]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(ports[0], ports[1] if len(ports) > 1 else None))
