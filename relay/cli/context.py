"""Open what commands work on: the settings, the configuration, the store."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis

from relay.config.environment import Settings, environ
from relay.config.load import Config, load_file
from relay.errors import ConfigError
from relay.processes.folder import FOLDER, running
from relay.sinks import TYPES
from relay.sinks.tools import Tools
from relay.store.connect import connect
from relay.store.reader import Reader
from relay.store.shared_state import SharedState
from relay.store.store import Store
from relay.transport import Session

ANSWER_SECONDS = 10.0
T = TypeVar("T")


def variables() -> dict[str, str]:
    """Return the environment, with what a `relay dev` or `relay demo` that runs in this folder adds to it."""
    return {**running(FOLDER), **{name: value for name, value in environ().items() if value}}


def settings() -> Settings:
    """Read the settings. Raises ConfigError."""
    return Settings.from_environ(variables())


def config() -> Config:
    """Load the configuration. Raises ConfigError."""
    return load_file(settings().config_path, environ=variables(), sink_types=TYPES)


def with_reader(work: Callable[[Reader], Awaitable[T]]) -> T:
    """Do something with a reader of the store. Raises ConfigError, StoreUnavailable."""
    return _connected(lambda client, namespace: work(Reader(client, namespace)))


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Do something to the store. Raises ConfigError, StoreUnavailable."""
    return _connected(lambda client, namespace: work(Store(client, namespace)))


def with_tools(work: Callable[[Tools], Awaitable[T]]) -> T:
    """Do something with what sinks work with. Raises ConfigError, StoreUnavailable."""

    async def equipped(client: Redis, namespace: str) -> T:
        async with Session() as session:
            return await work(Tools(session=session, shared=SharedState(client, namespace), now=time.time))

    return _connected(equipped)


def _connected(work: Callable[[Redis, str], Awaitable[T]]) -> T:
    found = settings()
    if found.redis_url is None:
        raise ConfigError("REDIS_URL is not set, and no `relay dev` runs in this folder: which store is meant?")
    url, namespace = found.redis_url, found.namespace

    async def run() -> T:
        client = connect(url, answer_seconds=ANSWER_SECONDS)
        try:
            return await work(client, namespace)
        finally:
            await client.aclose()

    return asyncio.run(run())
