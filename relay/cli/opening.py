"""Open what commands work on: the settings, the configuration, the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from relay.config.environment import Settings, environ
from relay.config.load import Config, load_file
from relay.errors import ConfigError
from relay.sandbox.folder import FOLDER, running
from relay.sinks import TYPES
from relay.store.connect import connect
from relay.store.reading import Reader

ANSWER_SECONDS = 10.0
T = TypeVar("T")


def variables() -> dict[str, str]:
    """Give the environment, with what a `relay dev` or `relay demo` that runs in this folder adds to it."""
    return {**running(FOLDER), **{name: value for name, value in environ().items() if value}}


def settings() -> Settings:
    """Read the settings. Raises ConfigError."""
    return Settings.from_environ(variables())


def config() -> Config:
    """Load the configuration. Raises ConfigError."""
    return load_file(settings().config_path, environ=variables(), sink_types=TYPES)


def reading(work: Callable[[Reader], Awaitable[T]]) -> T:
    """Do something with a reader of the store. Raises ConfigError, StoreUnavailable."""
    found = settings()
    if found.redis_url is None:
        raise ConfigError("REDIS_URL is not set, and no `relay dev` runs in this folder: which store is meant?")
    return asyncio.run(_with_reader(found.redis_url, found.namespace, work))


async def _with_reader(url: str, namespace: str, work: Callable[[Reader], Awaitable[T]]) -> T:
    reader = Reader(connect(url, answer_seconds=ANSWER_SECONDS), namespace)
    try:
        return await work(reader)
    finally:
        await reader.client.aclose()
