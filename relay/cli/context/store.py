"""The store that commands work on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from redis.asyncio import Redis

from relay.cli.context.environment import load_settings
from relay.config.environment import ProcessSettings
from relay.errors import ConfigError
from relay.store.connect import connect
from relay.store.formats import check_format
from relay.store.health import read_life
from relay.store.keys import Keys
from relay.store.reader import Reader
from relay.store.store import Store

ANSWER_SECONDS = 10.0
T = TypeVar("T")


def with_reader(work: Callable[[Reader], Awaitable[T]]) -> T:
    """Run something with a reader of the store. Raises ConfigError, StoreUnavailable."""
    return with_client(lambda client, namespace: work(Reader(client, namespace)))


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run something with the store. Raises ConfigError, StoreUnavailable."""
    return with_client(lambda client, namespace: work(Store(client, namespace)))


def with_store_and_reader(work: Callable[[Store, Reader], Awaitable[T]]) -> T:
    """Run something with the store and a reader of it. Raises ConfigError, StoreUnavailable."""
    return with_client(lambda client, namespace: work(Store(client, namespace), Reader(client, namespace)))


def with_client(work: Callable[[Redis, str], Awaitable[T]]) -> T:
    """Run something with a client of the store, and the namespace in it. Raises ConfigError, StoreUnavailable."""
    settings = load_settings()
    if settings.redis_url is None:
        raise lacks_store(settings, ", and no relay runs in this folder: which store is meant?")
    url, namespace = settings.redis_url, settings.namespace

    async def run() -> T:
        client = connect(url, answer_seconds=ANSWER_SECONDS)
        try:
            check_format((await read_life(client, Keys(namespace).life)).format)
            await Reader(client, namespace).now()  # from now on the clock of this process is the store's
            return await work(client, namespace)
        finally:
            await client.aclose()

    return asyncio.run(run())


def read_store_time() -> int:
    """Return the store's time, in epoch milliseconds. Raises ConfigError, StoreUnavailable."""
    return with_reader(lambda reader: reader.now())


def lacks_store(settings: ProcessSettings, advice: str) -> ConfigError:
    """Return the error of a command that does not know the store; in an empty folder it says what comes first."""
    path = settings.config_path
    if not Path(path).exists():
        return ConfigError(f"REDIS_URL is not set, nor is there a {path}: `relay init` writes one for `relay up`")
    return ConfigError(f"REDIS_URL is not set{advice}")
