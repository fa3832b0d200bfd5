"""Compose the web application, which `relay.web.server` serves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias

from celery import Celery
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from relay.background import BackgroundTasks
from relay.bells import broker_settings
from relay.config.environment import ProcessSettings, environ, hand_on
from relay.errors import ConfigError
from relay.live_config import LiveConfig
from relay.log_format import configure
from relay.logs import log
from relay.startup import freeze_startup_objects
from relay.store.access import Access
from relay.tracing.opened import open_tracer
from relay.tracing.tracer import Tracer
from relay.web.admin.endpoint import Pages
from relay.web.admin.guard import AdminGuard
from relay.web.admin.sessions import Sessions
from relay.web.admin.sign_in import SignIn
from relay.web.admin.token_guesses import TokenGuesses
from relay.web.autoscale import autoscale, hirefire
from relay.web.health import healthz, readyz
from relay.web.ingress import HookEndpoint, refuse_unknown_path
from relay.web.metrics.endpoint import metrics
from relay.web.operator_access import OperatorAccess, OperatorTokens
from relay.web.path_slashes import PathSlashes
from relay.web.refusals import HookRefusals
from relay.web.shards import WebShards
from relay.web.subscriptions.routes import routes as subscription_routes

Lifespan: TypeAlias = Callable[[Router], contextlib.AbstractAsyncContextManager[None]]


def create() -> Router:
    """Make the application from the environment. Raises ConfigError."""
    settings = ProcessSettings.from_environ(environ())
    configure(settings.log)
    if settings.redis_url is None or settings.broker_url is None:
        raise ConfigError("REDIS_URL is not set: the web process needs the store's address; `relay dev` brings its own")
    live = LiveConfig(settings)
    celery = Celery("relay")
    celery.conf.update(broker_settings(settings.broker_url, settings.namespace))
    shards = WebShards(settings, live, celery)
    # Hooks come first and bypass the middleware, which costs as much as everything else about taking one.
    refusals = HookRefusals(shards.first.store)
    tracer = open_tracer(hand_on("OTEL_"))
    take = HookEndpoint(lambda: live.config, shards, refusals, shards.over_share, tracer)
    hooks = Route("/hooks/{source}/{token}", take)
    others = Mount("/", _other_endpoints(settings, live, shards, hooks, refusals))
    return Router(routes=[hooks, others], lifespan=_lifespan(live, shards, refusals, tracer))


def _other_endpoints(
    settings: ProcessSettings,
    live: LiveConfig,
    shards: WebShards,
    hooks: Route,
    refusals: HookRefusals,
) -> Starlette:
    tokens = OperatorTokens(settings.admin_token, settings.admin_read_token)
    reader = shards.reader
    access, logins = OperatorAccess(tokens), Access(reader.client, settings.namespace)
    sessions, guesses = Sessions(tokens, logins), TokenGuesses(logins)
    pages = Pages(settings, live, reader, shards.stores)
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", _readyz(shards, live, access, settings)),
            Route("/autoscale", access.required(autoscale(reader, live))),
            Route("/hirefire/{token}/info", hirefire(reader, live, settings.hirefire_token)),
            Route("/metrics", access.required(metrics(reader, live))),
            *subscription_routes(
                lambda: live.config,
                shards.subscriptions,
                logins,
            ),
            *SignIn(tokens, sessions, guesses).routes(),
            Route("/admin", pages),
            Route("/admin/{path:path}", pages),
            hooks,  # behind the middleware too: an address with a slash too many is right all the same
        ],
        middleware=[Middleware(PathSlashes), Middleware(AdminGuard, tokens, sessions, guesses)],
        exception_handlers={HTTPException: _format_http_error(refusals)},
    )


def _readyz(
    shards: WebShards, live: LiveConfig, access: OperatorAccess, settings: ProcessSettings
) -> Callable[[Request], Awaitable[Response]]:
    return readyz(
        shards.first.monitor,
        live,
        shards.reader,
        access,
        strict=settings.durability == "strict",
        others=lambda: {one.name: one.monitor for one in shards.all if one is not shards.first},
    )


def _lifespan(live: LiveConfig, shards: WebShards, refusals: HookRefusals, tracer: Tracer) -> Lifespan:
    """Return what starts the background tasks with the application, and stops them with it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        tasks = BackgroundTasks()
        await shards.start()
        monitor = shards.first.monitor
        durability, problem = monitor.durability and str(monitor.durability), monitor.problem
        log.info("web.started", config=live.config.version, durability=durability, problem=problem)
        freeze_startup_objects()
        tasks.keep("refusals", refusals.run)
        yield
        await shards.stop()
        await tasks.stop()
        await refusals.flush()
        await asyncio.to_thread(tracer.close)
        await shards.aclose()

    return lifespan


def _format_http_error(refusals: HookRefusals) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def format_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = refuse_unknown_path(refusals, request.method, request.url.path)
        return JSONResponse({"error": detail}, error.status_code, headers=error.headers)

    return format_error
