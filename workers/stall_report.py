"""Tell that a part of a worker stood still: in the log, and in the store for `relay doctor` and `/readyz`.

`python -m workers.stall_report WORKER PART SECONDS`, with the stack on stdin. Run by the watcher, before it ends the
worker: the worker itself cannot.
"""

import asyncio
import sys

from relay.config.environment import ProcessSettings, environ
from relay.errors import StoreUnavailable
from relay.log_format import configure
from relay.logs import log
from relay.store.connect import connect
from relay.store.store import Store

_ANSWER_SECONDS = 5.0


async def _write(settings: ProcessSettings, worker: str, part: str) -> None:
    assert settings.redis_url is not None  # else there would be no worker
    store = Store(connect(settings.redis_url, answer_seconds=_ANSWER_SECONDS, connections=1), settings.namespace)
    try:
        await store.note_stall(worker, part)
    except StoreUnavailable as error:
        log.warning("worker.stall_unwritten", worker=worker, part=part, reason=str(error))
    finally:
        await store.client.aclose()


def main() -> None:
    """Log it first: the store may be away."""
    worker, part, seconds = sys.argv[1:]
    settings = ProcessSettings.from_environ(environ())
    configure(settings.log)
    log.critical("worker.stalled", worker=worker, part=part, seconds=float(seconds), stack=sys.stdin.read())
    asyncio.run(_write(settings, worker, part))


if __name__ == "__main__":
    main()
