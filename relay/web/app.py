"""Compose the web process: `uvicorn --factory relay.web.app:create`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from celery import Celery
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, Router

from relay.bells import Ringer, broker_settings
from relay.config.environment import ProcessSettings, environ
from relay.errors import ConfigError
from relay.live_config import LiveConfig
from relay.logs import configure, log
from relay.startup import freeze_startup_objects
from relay.store.access import Access
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.store.subscriptions import Subscriptions
from relay.web import subscriptions
from relay.web.commit import GROUPS_IN_FLIGHT, PATIENCE_SECONDS, GroupCommit
from relay.web.health import StoreWatch, healthz, readyz
from relay.web.ingress import Ingress
from relay.web.metrics import metrics


def create() -> Router:
    """Make the application from the environment. Raises ConfigError."""
    settings = ProcessSettings.from_environ(environ())
    configure(settings.log)
    if settings.redis_url is None or settings.broker_url is None:
        raise ConfigError("REDIS_URL is not set: the web process needs the store's address; `relay dev` brings its own")
    live = LiveConfig(settings)
    # A connection for each group on its way and one for bells; they give up in time for an honest 503.
    writing = connect(settings.redis_url, answer_seconds=PATIENCE_SECONDS - 0.3, connections=GROUPS_IN_FLIGHT + 1)
    store = Store(writing, settings.namespace)
    reader = Reader(connect(settings.redis_url, answer_seconds=5), settings.namespace)
    celery = Celery("relay")
    celery.conf.update(broker_settings(settings.broker_url, settings.namespace))
    watch = StoreWatch(reader.client, reader.keys, SharedState(reader.client, settings.namespace), live)
    commit = GroupCommit(store, Ringer(celery, store), watch.full)

    @contextlib.asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        await watch.look()
        log.info("web.started", config=live.config.version, durability=str(watch.durability), problem=watch.problem)
        freeze_startup_objects()
        tasks = [asyncio.create_task(commit.run()), asyncio.create_task(watch.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1)  # the store's client may swallow a cancellation
        await store.client.aclose()
        await reader.client.aclose()

    others = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz(watch, live, settings.durability == "strict")),
            Route("/metrics", metrics(reader, live, watch)),
            *subscriptions.routes(
                lambda: live.config,
                Subscriptions(reader.client, settings.namespace),
                Access(reader.client, settings.namespace),
            ),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    # Hooks come first and go past the middleware, which costs as much as all the rest of taking one.
    hooks = Route("/hooks/{source}/{token}", Ingress(lambda: live.config, commit))
    return Router(routes=[hooks, Mount("/", others)], lifespan=lifespan)


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
