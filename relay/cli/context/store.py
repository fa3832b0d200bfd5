"""The store that commands work on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from redis.asyncio import Redis

from relay.cli.context.environment import load_settings
from relay.cli.display.output import print_message
from relay.config.environment import ProcessSettings
from relay.config.store_address import move_slot
from relay.config.suggestions import did_you_mean
from relay.errors import ConfigError
from relay.store.connect import connect
from relay.store.formats import check_format
from relay.store.health import read_life
from relay.store.reader import Reader
from relay.store.shards import Shards
from relay.store.store import Store

ANSWER_SECONDS = 10.0
T = TypeVar("T")


def with_reader(work: Callable[[Reader], Awaitable[T]]) -> T:
    """Run something with a reader of all shards. Raises ConfigError, StoreUnavailable."""
    return with_shards(lambda shards: _reading(shards, work))


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run something with the store of all shards. Raises ConfigError, StoreUnavailable."""
    return with_shards(lambda shards: _reading(shards, lambda reader: work(store_of(shards, reader))))


def with_store_and_reader(work: Callable[[Store, Reader], Awaitable[T]]) -> T:
    """Run something with the store and a reader of it. Raises ConfigError, StoreUnavailable."""
    return with_shards(lambda shards: _reading(shards, lambda reader: work(store_of(shards, reader), reader)))


async def _reading(shards: Shards, work: Callable[[Reader], Awaitable[T]]) -> T:
    """Run something with a reader, and say which shards it was without."""
    reader = reader_of(shards)
    try:
        return await work(reader)
    finally:
        if len(shards.names) > 1:
            say_what_is_away(reader)


def reader_of(shards: Shards) -> Reader:
    """Return what reads all shards that are opened."""
    if len(shards.names) == 1:
        first = shards.first
        gates = shards.whole.gates(shards.whole.name_of(first)) if shards.whole else None
        return Reader(first.client, first.namespace, gates)
    from relay.store.readers import Readers  # few have several

    each = {name: Reader(store.client, store.namespace, shards.gates(name)) for name, store in shards.stores().items()}
    return Readers(lambda: each, shards.list.shard_of)


def store_of(shards: Shards, reader: Reader) -> Store:
    """Return what acts on all shards that are opened."""
    first, whole = shards.first, shards.whole
    if len(shards.names) == 1 and whole is None:
        return first
    from relay.store.readers import Readers  # few have several
    from relay.store.stores import OneOfSeveral, Stores

    if whole is not None:
        return OneOfSeveral(first, lambda sink: whole.of_gate(sink) or first)
    assert isinstance(reader, Readers)  # there are several
    return Stores(shards.stores, reader, shards.list.shard_of, shards.list.home_of)


def say_what_is_away(reader: Reader) -> None:
    """Print which shards could not be reached: what was listed or counted is without them."""
    from relay.store.readers import Readers

    if isinstance(reader, Readers) and (away := reader.describe_away()):
        print_message(f"{away}; what is shown is without it", error=True)


def with_client(work: Callable[[Redis, str], Awaitable[T]]) -> T:
    """Run something with a client of the first shard, and its namespace. Raises ConfigError, StoreUnavailable."""
    return with_shards(lambda shards: work(shards.first.client, shards.first.namespace))


def with_shards(work: Callable[[Shards], Awaitable[T]]) -> T:
    """Run something with the shards, or with the one that RELAY_SHARD names. Raises ConfigError, StoreUnavailable."""
    settings = load_settings()
    if settings.redis_url is None:
        raise lacks_store(
            settings, ", and no relay runs in this folder: start one by `relay up` or `relay dev`, or name its store"
        )
    url, wanted = settings.redis_url, settings.shard

    async def run() -> T:
        shards = open_shards(url, settings.namespace)
        try:
            life = await read_life(shards.first.client, shards.first.keys.life)
            check_format(life.format)
            if life.shards:
                await shards.refresh()
            await Reader(shards.first.client, settings.namespace).now()  # this process's clock is the store's now
            return await work(_only(shards, wanted) if wanted else shards)
        finally:
            await shards.aclose()

    return asyncio.run(run())


def open_shards(url: str, namespace: str) -> Shards:
    """Return the shards of a store's address; its caller reads the list of them, and closes them."""

    def open_store(namespace: str) -> Store:
        return Store(connect(move_slot(url, namespace), answer_seconds=ANSWER_SECONDS), namespace)

    return Shards(open_store(namespace), open_store)


def _only(shards: Shards, name: str) -> Shards:
    """Return one of the shards, as if it were the only one. Raises ConfigError."""
    if name not in shards.names:
        raise ConfigError(f"RELAY_SHARD: there is no shard {name}, {did_you_mean(name, shards.names)}")
    return Shards(shards.store(name), shards.store, whole=shards)


def read_store_time() -> int:
    """Return the store's time, in epoch milliseconds. Raises ConfigError, StoreUnavailable."""
    return with_reader(lambda reader: reader.now())


def lacks_store(settings: ProcessSettings, advice: str) -> ConfigError:
    """Return the error of a command that does not know the store; in an empty folder it says what comes first."""
    path = settings.config_path
    if not Path(path).exists():
        return ConfigError(f"REDIS_URL is not set, nor is there a {path}: `relay init` writes one for `relay up`")
    return ConfigError(f"REDIS_URL is not set{advice}")
