"""Where the web process hands requests to the pages. They are loaded with the first one: most processes show none."""

import asyncio
from importlib import import_module

from starlette.types import ASGIApp, Receive, Scope, Send

from relay.config.environment import ProcessSettings
from relay.live_config import LiveConfig
from relay.masking import collect_names
from relay.store.reader import Reader
from relay.store.store import Store


class Pages:
    """The application of the pages, composed when it is first asked for anything."""

    def __init__(self, settings: ProcessSettings, live: LiveConfig, reader: Reader, store: Store) -> None:
        self._services = settings, live, reader, store
        self._app: ASGIApp | None = None
        self._composing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        collect_names()
        await (self._app or await self._compose())(scope, receive, send)

    async def _compose(self) -> ASGIApp:
        async with self._composing:
            if self._app is None:
                # In a thread: hooks are taken meanwhile.
                routes = await asyncio.to_thread(import_module, "relay.web.admin.routes")
                self._app = routes.compose(*self._services)
        return self._app
