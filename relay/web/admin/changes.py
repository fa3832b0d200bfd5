"""Tell open pages that something changed, by server-sent events. They then fetch themselves anew."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from relay.web.admin.pulse import Pulse
from relay.web.admin.rights import goes_on

QUIET_SECONDS: Final = 15  # after which something is sent all the same: proxies close what is silent for a minute
CHECK_SECONDS: Final = 3  # between two looks whether the session goes on: one call to the store each
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def send_changes(request: Request) -> Response:
    """Send an event for each change, until the page goes away or this process ends."""
    changes = _changes(request, request.app.state.services.pulse)
    return StreamingResponse(changes, media_type="text/event-stream", headers=_HEADERS)


async def _changes(request: Request, pulse: Pulse) -> AsyncIterator[str]:
    """Yield events; the first one says what there is, so that a page that was away knows whether it is stale.

    It ends with the session that it was opened by: one that was signed out hears nothing more.
    """
    ending: asyncio.Event | None = getattr(request.state, "ending", None)  # set by the server
    yield "retry: 2000\n\n"
    version, quiet, checked = "", 0, time.monotonic()
    with pulse.viewed():
        while ending is None or not ending.is_set():
            new = await pulse.wait_for_change(version, 1.0)
            if time.monotonic() - checked >= CHECK_SECONDS:
                if not await goes_on(request):
                    yield "event: ended\ndata: session\n\n"
                    return
                checked = time.monotonic()
            quiet = quiet + 1 if new == version else 0
            if new != version:
                yield f"data: {new}\n\n"
            elif quiet % QUIET_SECONDS == 0:
                yield ": quiet\n\n"
            version = new
